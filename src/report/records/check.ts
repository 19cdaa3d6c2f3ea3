/**
 * Whether a value of JSON is a record that can be drawn.
 */
import { FileFormatError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { object, requireShallow, type Refuse } from './shape.js';
import { RECORDS, type RunRecord } from './table.js';

type Members = Readonly<Record<string, unknown>>;

/** Whether a value says of itself that it is a record. */
export const isRecord = (value: unknown): value is Members & { readonly record: unknown } =>
  typeof value === 'object' && value !== null && typeof (value as Members)['record'] === 'string';

/** Throws FileFormatError: what is wrong with the record that is called `of`. */
export const refusal =
  (of: string): Refuse =>
  (what) => {
    throw new FileFormatError(`${of}: ${what}. A record is what --record writes.`, { of });
  };

/**
 * The record that a value is, `of` a file or an argument. Throws FileFormatError for what is none, of another kind than
 * there are, or lacks what is drawn of it: the message names the member.
 */
export function checkedRecord(value: unknown, of: string): RunRecord {
  const refuse: Refuse = refusal(of);
  if (!isRecord(value)) return refuse(`${describe(value)} is no record of a run`);
  const kind = value.record as RunRecord['record'];
  if (!Object.hasOwn(RECORDS, kind))
    return refuse(`there are records called ${Object.keys(RECORDS).join(', ')}, not ${describe(value.record)}`);
  requireShallow(value, 'the record', refuse);
  RECORDS[kind].shape(value, '', refuse);
  object(value['machine'], 'machine', refuse);
  object(value['versions'], 'versions', refuse);
  return value as unknown as RunRecord;
}
