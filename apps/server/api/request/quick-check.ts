/**
 * Says of most good bodies that they are good, from the rules that class-validator keeps of their class. class-validator itself writes
 * a report for every field that a class has, whether it was sent or not, which made it a tenth of what accepting a task costs; a
 * body in which all rules hold needs no report. Where one does not, or where a class has rules of a kind that is not known here, class-validator
 * is asked, and what it says counts.
 */
import { getMetadataStorage, type ValidationArguments, type ValidatorConstraintInterface } from 'class-validator';

/** What class-validator calls the kinds of its rules. */
const RULE = 'customValidation';
const CONDITION = 'conditionalValidation';
const ALLOWED = 'whitelistValidation';

type Condition = (object: object, value: unknown) => unknown;

interface Rule {
  readonly constraints: unknown[];
  readonly instances: readonly ValidatorConstraintInterface[];
}

interface Field {
  readonly name: string;
  readonly conditions: readonly Condition[];
  readonly rules: readonly Rule[];
}

const fieldsByClass = new WeakMap<new () => object, readonly Field[] | null>();

/** False says nothing: class-validator has to be asked. `value` must have no fields but those that its class has rules for. */
export function holdsAllRules<T extends object>(type: new () => T, value: T): boolean {
  let fields = fieldsByClass.get(type);
  if (fields === undefined) {
    fields = fieldsOf(type);
    fieldsByClass.set(type, fields);
  }
  return fields?.every((field) => isGood(type, value, field)) ?? false;
}

function isGood(type: new () => object, object: object, { name, conditions, rules }: Field): boolean {
  const value: unknown = Reflect.get(object, name);
  if (!conditions.every((applies) => applies(object, value))) return true;
  return rules.every(({ constraints, instances }) => {
    const told: ValidationArguments = { targetName: type.name, property: name, object, value, constraints };
    // Compared with true, because a promise is no answer.
    return instances.every((instance) => instance.validate(value, told) === true);
  });
}

/** Null where a rule is of another kind than those that `isGood` knows. */
function fieldsOf(type: new () => object): Field[] | null {
  const storage = getMetadataStorage();
  const all = storage.getTargetValidationMetadatas(type, '', true, false);
  const isKnown = all.every(
    ({ type: kind, each, validateIf }) => [RULE, CONDITION, ALLOWED].includes(kind) && !each && validateIf === undefined,
  );
  if (all.length === 0 || !isKnown) return null;
  return [...new Set(all.map(({ propertyName }) => propertyName))].map((name) => {
    const own = all.filter(({ propertyName }) => propertyName === name);
    return {
      name,
      conditions: own.filter(({ type: kind }) => kind === CONDITION).map(({ constraints }) => constraints[0] as Condition),
      rules: own
        .filter(({ type: kind }) => kind === RULE)
        .map(({ constraints, constraintCls }) => ({
          constraints,
          instances: storage.getTargetValidatorConstraints(constraintCls).map(({ instance }) => instance),
        })),
    };
  });
}
