/**
 * How many random histories the model-based tests try, and which. TEST_MODEL_RUNS asks for more than a usual run, TEST_MODEL_SEED
 * for those of an earlier one; a failure prints its seed.
 */
export function modelRuns(usual: number): { numRuns: number; seed?: number } {
  const runs = numberIn('TEST_MODEL_RUNS');
  const seed = numberIn('TEST_MODEL_SEED');
  return { numRuns: runs ?? usual, ...(seed !== undefined && { seed }) };
}

function numberIn(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`${variable} must be an integer, and is ${text}.`);
  return value;
}
