/**
 * Reports of failures in shared memory, for browsers, where a thread cannot look for messages at once: one report at a
 * time, as JSON. Numbers that JSON cannot say (NaN, ∞) become texts.
 *
 *     length in bytes (int32; 0: no report) ─ UTF-8
 */
import type { FailureReport } from './thread.js';

/** Room for one report: a message, a stack, a few numbers. */
const BYTES = 2 ** 16;
const HEADER = 4;

/** Memory for the reports of a worker. */
export const reportMemory = (): SharedArrayBuffer => new SharedArrayBuffer(BYTES);

const sayable = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)) ? String(value) : value;

/** Writes a report over the last one. Throws RangeError where it is too long, TypeError where JSON cannot say it. */
export function writeReport(memory: SharedArrayBuffer, report: FailureReport): void {
  const bytes = new TextEncoder().encode(JSON.stringify(report, sayable));
  new Uint8Array(memory, HEADER).set(bytes);
  Atomics.store(new Int32Array(memory, 0, 1), 0, bytes.length);
}

/** Takes the report away, if there is one. */
export function takeReport(memory: SharedArrayBuffer): FailureReport | undefined {
  const length = Atomics.exchange(new Int32Array(memory, 0, 1), 0, 0);
  if (length === 0) return undefined;
  // A copy: text is not decoded from shared memory.
  const bytes = new Uint8Array(memory, HEADER, length).slice();
  return JSON.parse(new TextDecoder().decode(bytes)) as FailureReport;
}
