/**
 * Finds a key that is written twice in one object. `JSON.parse` keeps the last in silence, another reader may keep the first,
 * and a token that means two things to two readers must not be accepted by either.
 */

/** Strings and the characters that give JSON its shape; linear on every text. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/** `json` must be valid JSON. */
export function hasDuplicateKey(json: string): boolean {
  /** The keys so far of every object that is open; null for an array. */
  const open: (Set<string> | null)[] = [];
  let last = '';
  for (const [token] of json.matchAll(TOKENS)) {
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : null);
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (token === ':') {
      const key = JSON.parse(last) as string;
      const keys = open.at(-1);
      if (keys?.has(key) === true) {
        return true;
      }
      keys?.add(key);
    }
    last = token;
  }
  return false;
}
