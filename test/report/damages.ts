/** Records with one member damaged: each member in turn, in each of the ways that files are. */

/** A record with one member damaged. */
export interface Damage {
  readonly damaged: unknown;
  /** The member of the record that it is, or lies in. */
  readonly top: string;
  /** For messages. */
  readonly what: string;
}

type Path = readonly (string | number)[];

/** Paths of all members; of a list its first item, one in the middle and its last stand for all. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const keys = Array.isArray(value)
    ? [...new Set([0, value.length >> 1, value.length - 1])].filter((k) => k >= 0 && k < value.length)
    : Object.keys(value);
  const inner = keys.flatMap((key) => pathsOf((value as Record<string | number, unknown>)[key], [...path, key]));
  return path.length === 0 ? inner : [path, ...inner];
}

const nested = (depth: number): unknown => {
  let value: unknown = {};
  for (let k = 0; k < depth; k++) value = { a: value };
  return value;
};

/** What stands where something else belongs. `undefined` is what is not there. */
const WRONG: Readonly<Record<string, unknown>> = {
  'is missing': undefined,
  'is null': null,
  'is text': 'text',
  'is a number in text': '3',
  'is true': true,
  'is 0': 0,
  'is below 0': -1,
  'is huge': 1e308,
  'is between whole numbers': 2.5,
  'is NaN': Number.NaN,
  'is infinite': Infinity,
  'is an empty list': [],
  'is a list of nothing': [null],
  'is a list of text': ['a', 'b'],
  'is an empty object': {},
  'is nested deeply': nested(20_000),
};

/** `value` with the member at `path` replaced, or left out. */
function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value)) return (value as unknown[]).map((item, k) => (k === key ? replaced(item, rest, by) : item));
  const members = value as Readonly<Record<string, unknown>>;
  if (rest.length === 0 && by === undefined)
    return Object.fromEntries(Object.entries(members).filter(([name]) => name !== key));
  return { ...members, [key]: replaced(members[key], rest, by) };
}

/** All damages of a record; what kind it is and when it ran stay. */
export function* damagesOf(record: Readonly<Record<string, unknown>>): Generator<Damage> {
  for (const path of pathsOf(record)) {
    if (path[0] === 'record' || path[0] === 'date') continue;
    for (const [how, value] of Object.entries(WRONG))
      yield { damaged: replaced(record, path, value), top: String(path[0]), what: `${path.join('.')} ${how}` };
  }
}
