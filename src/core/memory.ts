/**
 * Memory that is refused before it is allocated.
 */
import { MemoryError } from './errors.js';

/** Bytes for people: "12.3 GB". */
export const inUnits = (bytes: number): string =>
  bytes >= 1e9
    ? `${(bytes / 1e9).toPrecision(3)} GB`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toPrecision(3)} MB`
      : `${bytes} bytes`;

/** What needs the memory, as the beginning of a sentence, and what to do where it is not there, as its end. */
export interface MemoryNeed {
  /** "The factorization needs". */
  readonly what: string;
  /** "lower the ranks (maxRank), or raise memoryLimit." */
  readonly advice: string;
  /** Further facts for the error's data. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
}

/** Throws MemoryError, with `bytes` and `limit` in its data, where more bytes are needed than there are. */
export function requireMemory(bytes: number, limit: number, need: MemoryNeed): void {
  if (bytes > limit) refuseMemory(bytes, limit, need);
}

/** The MemoryError of `requireMemory`, for callers who have compared several needs with the limit. */
export function refuseMemory(bytes: number, limit: number, { what, advice, data }: MemoryNeed): never {
  throw new MemoryError(`${what} ${inUnits(bytes)}, and ${inUnits(limit)} are available: ${advice}`, {
    bytes,
    limit,
    ...data,
  });
}

/** The least share of a dense N × N matrix in float64 whose bytes, share·8N², are not below `bytes` in rounding. */
export function shareHolding(bytes: number, size: number): number {
  const dense = 8 * size ** 2;
  const share = bytes / dense;
  return share * dense < bytes ? share * (1 + Number.EPSILON) : share;
}
