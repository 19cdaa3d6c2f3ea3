/**
 * What readers of arrays read from.
 * In a file of its own, because public types name it: those of files (input-file.ts) name Node's.
 */
import type { RunControl } from '../core/context.js';

/** Bytes of known number, read at positions: a file, or what a member of an archive unpacks to. */
export interface ByteSource {
  /** What messages call it. */
  readonly path: string;
  readonly size: number;
  /** Bytes are read in their order alone: to read earlier ones again is to begin anew. Default false. */
  readonly inOrder?: boolean | undefined;
  /**
   * Fills `target` from `position` on; `each` sees every chunk as it arrives. Throws FileFormatError where the bytes
   * end before.
   */
  read(target: Uint8Array, position: number, control: RunControl, each?: (chunk: Uint8Array) => void): Promise<void>;
  /** At most `count` bytes from `position` on, in a buffer of their own: fewer where the bytes end. */
  head(count: number, position?: number): Promise<Uint8Array>;
}
