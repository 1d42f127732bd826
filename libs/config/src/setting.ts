/**
 * What a setting is: one environment variable with its kind, default, bounds and a sentence of documentation. The tables
 * beside this file are made of these, and everything else (the typed `Config`, the validation, the printed documentation)
 * follows from the tables, so none of them can drift from the others. No reading ever repeats the value it was given: a
 * secret may have been put into the wrong variable.
 */

export const ROLES = ['api', 'worker', 'scheduler', 'all'] as const;
/** What a process does. `all` is every role in one process. */
export type Role = (typeof ROLES)[number];

/** Which roles look at a setting; `every` means all of them. */
export type SettingRoles = 'every' | readonly Exclude<Role, 'all'>[];

/** Either the typed value, or the rest of a sentence that begins with the variable's name and says what to write. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

export interface Setting<T> {
  /** The value where the variable is not set; `null` or an empty list where there is none. */
  readonly fallback: T;
  /** The default as it is documented. */
  readonly shownDefault: string;
  /** What may be written, as it is documented. */
  readonly accepts: string;
  readonly roles: SettingRoles;
  /** True where the value must never be shown, not even in a dump of the configuration. */
  readonly secret: boolean;
  /** One sentence. */
  readonly doc: string;
  /** The text may be surrounded by white space (PEM); everywhere else that is a mistake worth naming. */
  readonly keepsWhiteSpace?: boolean;
  /** Reads a text that is not empty. */
  read(raw: string): Reading<T>;
}

/** What every setting says of itself, whatever its kind. */
export interface About {
  doc: string;
  roles?: SettingRoles;
  secret?: boolean;
}

export interface Bounds {
  /** Inclusive. */
  min: number;
  /** Inclusive. */
  max: number;
}

export interface IntegerOptions extends About, Bounds {
  fallback: number;
  unit?: 'ms' | 'bytes';
  /** The value must be a multiple of this. */
  step?: number;
}

export function about({ doc, roles = 'every', secret = false }: About): Pick<Setting<unknown>, 'doc' | 'roles' | 'secret'> {
  return { doc, roles, secret };
}

/** A whole number in decimal digits, without sign, point or unit. */
export function integer(options: IntegerOptions): Setting<number> {
  const { min, max, unit, step = 1, fallback } = options;
  const multiple = step === 1 ? '' : `, a multiple of ${step}`;
  const accepts = `${min} to ${max}${unit === undefined ? '' : ` ${unit}`}${multiple}`;
  return {
    ...about(options),
    fallback,
    shownDefault: `\`${fallback}\`${inWords(fallback, unit)}`,
    accepts,
    read: (raw) => {
      const value = /^(0|[1-9]\d{0,15})$/.test(raw) ? Number(raw) : Number.NaN;
      return value >= min && value <= max && value % step === 0 ? { value } : { problem: `must be a whole number, ${accepts}.` };
    },
  };
}

/** A decimal number such as 0.25. */
export function decimal(options: About & Bounds & { fallback: number }): Setting<number> {
  const { min, max, fallback } = options;
  return {
    ...about(options),
    fallback,
    shownDefault: `\`${fallback}\``,
    accepts: `a number from ${min} to ${max}`,
    read: (raw) => {
      const value = /^\d{1,9}(\.\d{1,9})?$/.test(raw) ? Number(raw) : Number.NaN;
      return value >= min && value <= max ? { value } : { problem: `must be a number from ${min} to ${max}, such as ${fallback}.` };
    },
  };
}

/** One word out of a list; case matters. */
export function choice<const T extends string>(options: About & { values: readonly T[]; fallback: NoInfer<T> }): Setting<T> {
  const { values, fallback } = options;
  return {
    ...about(options),
    fallback,
    shownDefault: `\`${fallback}\``,
    accepts: values.map((value) => `\`${value}\``).join(', '),
    read: (raw) => {
      const value = values.find((candidate) => candidate === raw);
      return value === undefined ? { problem: `must be one of ${values.join(', ')}.` } : { value };
    },
  };
}

/** `on` or `off`, read as a boolean. */
export function toggle(options: About & { fallback: boolean }): Setting<boolean> {
  return {
    ...about(options),
    fallback: options.fallback,
    shownDefault: options.fallback ? '`on`' : '`off`',
    accepts: '`on`, `off`',
    read: (raw) => (raw === 'on' || raw === 'off' ? { value: raw === 'on' } : { problem: 'must be on or off.' }),
  };
}

/** A text that matches a pattern; `accepts` is that pattern in words and completes "must be …". */
export function text<T extends string | null>(options: About & { pattern: RegExp; accepts: string; fallback: T }): Setting<string | T> {
  const { pattern, accepts, fallback } = options;
  return {
    ...about(options),
    fallback,
    shownDefault: fallback === null ? 'unset' : `\`${fallback}\``,
    accepts,
    read: (raw) => (pattern.test(raw) ? { value: raw } : { problem: `must be ${accepts}.` }),
  };
}

/** " (7 days)" behind a number of milliseconds nobody can read; empty where the number is readable as it stands. */
function inWords(value: number, unit: IntegerOptions['unit']): string {
  const scales: readonly (readonly [number, string])[] =
    unit === 'ms'
      ? [
          [86_400_000, 'day'],
          [3_600_000, 'hour'],
          [60_000, 'minute'],
        ]
      : unit === 'bytes'
        ? [
            [1_048_576, 'MiB'],
            [1_024, 'KiB'],
          ]
        : [];
  const scale = scales.find(([size]) => value >= size && value % size === 0);
  if (scale === undefined) return '';
  const count = value / scale[0];
  return ` (${count} ${scale[1]}${unit === 'ms' && count > 1 ? 's' : ''})`;
}
