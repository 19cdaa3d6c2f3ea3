/**
 * Whether a value of JSON is a record that can be drawn.
 */
import { FileFormatError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { RECORDS, type MemberKind, type RunRecord } from './table.js';

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const IS: Readonly<Record<MemberKind, (value: unknown) => boolean>> = {
  number: (value) => typeof value === 'number',
  text: (value) => typeof value === 'string',
  object: isObject,
  list: Array.isArray,
  numbers: (value) => Array.isArray(value) && value.every((one) => typeof one === 'number' || one === null),
};
const CALLED: Readonly<Record<MemberKind, string>> = {
  number: 'a number',
  text: 'text',
  object: 'an object',
  list: 'a list',
  numbers: 'a list of numbers',
};

/** Calls `refuse` where a member at `path` ("rows[].error") is not what it is to be. */
function check(value: unknown, path: string, kind: MemberKind, refuse: (what: string) => never): void {
  const visit = (member: unknown, steps: readonly string[], at: string): void => {
    if (steps.length === 0) {
      if (!IS[kind](member)) refuse(`${at} is ${describe(member)}, not ${CALLED[kind]}`);
      return;
    }
    const [step, ...rest] = steps;
    if (step === '[]') {
      if (!Array.isArray(member)) refuse(`${at} is ${describe(member)}, not a list`);
      (member as unknown[]).forEach((item, k) => {
        visit(item, rest, `${at}[${k}]`);
      });
    } else if (isObject(member)) visit(member[step], rest, at === '' ? step : `${at}.${step}`);
    else refuse(`${at === '' ? 'the record' : at} is ${describe(member)}, not an object`);
  };
  visit(value, path.replaceAll('[]', '.[]').split('.'), '');
}

/** Whether a value says of itself that it is a record. */
export const isRecord = (value: unknown): value is Members & { readonly record: unknown } =>
  isObject(value) && typeof value['record'] === 'string';

/**
 * The record that a value is, `of` a file or an argument. Throws FileFormatError for what is none, of another kind than
 * there are, or lacks what is drawn of it.
 */
export function checkedRecord(value: unknown, of: string): RunRecord {
  const refuse = (what: string): never => {
    throw new FileFormatError(`${of}: ${what}. A record is what --record writes.`, { of });
  };
  if (!isRecord(value)) return refuse(`${describe(value)} is no record of a run`);
  const kind = value.record as RunRecord['record'];
  if (!Object.hasOwn(RECORDS, kind))
    return refuse(`there are records called ${Object.keys(RECORDS).join(', ')}, not ${describe(value.record)}`);
  for (const [path, member] of Object.entries(RECORDS[kind].needs)) check(value, path, member, refuse);
  const { machine, versions } = value as { readonly machine?: unknown; readonly versions?: unknown };
  if (!isObject(machine) || !isObject(versions)) return refuse('it does not tell its machine and versions');
  return value as unknown as RunRecord;
}
