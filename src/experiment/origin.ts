/**
 * Where a saved matrix came from, as its file keeps it: what was compressed, and the error that was measured.
 */
import type { JsonObject } from '../io/container.js';
import type { CompressionRecord, InputDescription } from './record.js';

/** What the file of a matrix tells of its origin. */
export interface Origin {
  readonly input: InputDescription;
  /** What ordered the indices. */
  readonly distance: string;
  readonly error: CompressionRecord['error'];
}

/** What is kept of a run in its matrix's file. */
export function originOf({
  input,
  options,
  error,
}: Pick<Origin, 'input' | 'error'> & { readonly options: Pick<Origin, 'distance'> }): JsonObject {
  const origin: Origin = { input, distance: options.distance, error };
  // As JSON has it: without what is undefined.
  return JSON.parse(JSON.stringify(origin)) as JsonObject;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether all of `names` are of that type; `optional`: or absent. */
const are = (value: JsonObject, type: 'number' | 'string', names: readonly string[], optional = false): boolean =>
  names.every((name) => typeof value[name] === type || (optional && value[name] === undefined));

/** Whether a value is what was taken of a table, as far as reports read it. */
const isReading = (value: unknown): boolean =>
  isObject(value) &&
  are(value, 'string', ['delimiter', 'decimal']) &&
  are(value, 'number', ['skippedRows']) &&
  ['columns', 'names', 'leftOut'].every((name) => Array.isArray(value[name])) &&
  ['names', 'leftOut'].every((name) => (value[name] as unknown[]).every((one) => typeof one === 'string'));

/**
 * The origin that a file tells; undefined where it tells none, or one of another form than this version writes.
 */
export function readOrigin(about: JsonObject | undefined): Origin | undefined {
  const { input, error, distance } = about ?? {};
  if (!isObject(input) || !isObject(error) || typeof distance !== 'string') return undefined;
  const { table, tables = [] } = input as { table?: unknown; tables?: unknown };
  const told =
    are(input, 'string', ['kind', 'name']) &&
    are(input, 'string', ['kernel'], true) &&
    are(input, 'number', ['size']) &&
    are(input, 'number', ['dimension', 'bandwidth', 'ridge'], true) &&
    (table === undefined || isReading(table)) &&
    Array.isArray(tables) &&
    tables.every((one) => isObject(one) && are(one, 'number', ['count', 'dimension']) && isReading(one['table']));
  const measured =
    are(error, 'string', ['decision']) && are(error, 'number', ['relative', 'low', 'high', 'columns', 'tolerance']);
  return told && measured ? (about as unknown as Origin) : undefined;
}
