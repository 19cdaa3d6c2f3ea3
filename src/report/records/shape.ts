/**
 * What values of JSON are to be: each shape checks one, member by member, and tells what is wrong by its path.
 */
import { describe } from '../../core/kind.js';

/** Called with what is wrong; throws. */
export type Refuse = (what: string) => never;
/** Checks a value that messages call `at` ("rows[3].error"); calls `refuse` where it is something else. */
export type Shape = (value: unknown, at: string, refuse: Refuse) => void;

const single =
  (called: string, is: (value: unknown) => boolean): Shape =>
  (value, at, refuse) => {
    if (!is(value)) refuse(`${at} is ${describe(value)}, not ${called}`);
  };

/** Text. */
export const text = single('text', (value) => typeof value === 'string');
/** True or false. */
export const flag = single('true or false', (value) => typeof value === 'boolean');
/** A finite number. */
export const number = single('a finite number', Number.isFinite);
/** Seconds, bytes, counts and means of counts: a finite number ≥ 0. */
export const amount = single('a number of at least 0', (value) => Number.isFinite(value) && (value as number) >= 0);
/** A number that may have come out as NaN or infinite, which JSON writes as null. */
export const measured = single('a number', (value) => value === null || typeof value === 'number');
/** An object, whatever its members. */
export const object = single(
  'an object',
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

/** A whole number from `least` to `most`. */
export const whole = (least: number, most = Number.MAX_SAFE_INTEGER): Shape =>
  single(
    most === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${least}` : `a whole number ${least} … ${most}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  );

/** One of these texts. */
export const oneOf = (names: readonly string[]): Shape =>
  single(`one of ${names.join(', ')}`, (value) => (names as readonly unknown[]).includes(value));

/** What may be null. */
export const nullable =
  (shape: Shape): Shape =>
  (value, at, refuse) => {
    if (value !== null) shape(value, at, refuse);
  };

/** What may be absent. */
export const optional =
  (shape: Shape): Shape =>
  (value, at, refuse) => {
    if (value !== undefined) shape(value, at, refuse);
  };

const isTyped = (value: unknown): value is ArrayLike<number> =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

/** A list of at least so many items, or numbers in a typed array. */
export const list =
  (item: Shape, least = 0): Shape =>
  (value, at, refuse) => {
    if (!Array.isArray(value) && !isTyped(value)) return refuse(`${at} is ${describe(value)}, not a list`);
    if (value.length < least)
      return refuse(`${at} ${value.length === 0 ? 'is an empty list' : `has ${value.length} items, not ${least}`}`);
    for (let k = 0; k < value.length; k++) item(value[k], `${at}[${k}]`, refuse);
  };

/** An object with these members, and any others. */
export const members =
  (shapes: Readonly<Record<string, Shape>>): Shape =>
  (value, at, refuse) => {
    object(value, at === '' ? 'it' : at, refuse);
    for (const [name, shape] of Object.entries(shapes))
      shape((value as Readonly<Record<string, unknown>>)[name], at === '' ? name : `${at}.${name}`, refuse);
  };

/** What is all of these. */
export const all =
  (...shapes: readonly Shape[]): Shape =>
  (value, at, refuse) => {
    for (const shape of shapes) shape(value, at, refuse);
  };

/** Objects in objects that a record has at most, one in the other: none of hmatrix's has more than a dozen. */
const DEEPEST = 64;

/** Calls `refuse` where members lie in members too deep for what walks through all of them. */
export const requireShallow: Shape = (value, at, refuse) => {
  const left: { readonly of: unknown; readonly depth: number; readonly top: string }[] = [
    { of: value, depth: 0, top: at },
  ];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { of, depth, top } = next;
    if (typeof of !== 'object' || of === null || ArrayBuffer.isView(of)) continue;
    if (depth > DEEPEST) refuse(`${top} has members within members, more than ${DEEPEST} deep`);
    for (const [name, member] of Object.entries(of))
      if (typeof member === 'object' && member !== null)
        left.push({ of: member as unknown, depth: depth + 1, top: depth === 0 ? name : top });
  }
};
