/**
 * The IDX format of the MNIST files, plain or compressed by gzip.
 * Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits": two zero bytes, a type byte, the
 * rank, the sizes (32 bits each, big-endian), the elements (big-endian, last index fastest).
 * Whether a file is compressed is seen from its first bytes, not from its name.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError } from '../core/errors.js';
import { excerpt } from './excerpt.js';
import { isGzip, MOST_DEFLATION, streamUnpacked } from './gzip.js';
import { sharedBuffer, withInputFile, type InputFile } from './input-file.js';
import { hex } from './npy-header.js';
import { elementCount } from './shape-size.js';

/** The arrays of IDX's element types. */
export type IdxData = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** An array of any rank, as an IDX file holds it. */
export interface IdxArray {
  /** Sizes, slowest index first: (10000, 28, 28) for ten thousand images. */
  readonly shape: readonly number[];
  /** Over a SharedArrayBuffer; last index fastest. */
  readonly data: IdxData;
}

const ELEMENT_TYPES: Record<number, { bytes: 1 | 2 | 4 | 8; over: (buffer: SharedArrayBuffer) => IdxData }> = {
  0x08: { bytes: 1, over: (b) => new Uint8Array(b) },
  0x09: { bytes: 1, over: (b) => new Int8Array(b) },
  0x0b: { bytes: 2, over: (b) => new Int16Array(b) },
  0x0c: { bytes: 4, over: (b) => new Int32Array(b) },
  0x0d: { bytes: 4, over: (b) => new Float32Array(b) },
  0x0e: { bytes: 8, over: (b) => new Float64Array(b) },
};

/** True if these first bytes of a file may be those of an IDX file. */
export const isIdx = (head: Uint8Array): boolean =>
  head[0] === 0 && head[1] === 0 && head[2] in ELEMENT_TYPES && head[3] >= 1;

/** Takes the file as it streams by: the header first, then the elements into shared memory of just their size. */
class IdxAssembler {
  readonly #file: InputFile;
  readonly #compressed: boolean;
  #header = new Uint8Array(4);
  #headerFilled = 0;
  #shape: number[] | undefined;
  #payload: Uint8Array = new Uint8Array(0);
  #payloadFilled = 0;

  constructor(file: InputFile, compressed: boolean) {
    this.#file = file;
    this.#compressed = compressed;
  }

  get progress(): { done: number; total: number } {
    return { done: this.#payloadFilled, total: this.#payload.length };
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (this.#shape === undefined && at < chunk.length) {
      const n = Math.min(chunk.length - at, this.#header.length - this.#headerFilled);
      this.#header.set(chunk.subarray(at, at + n), this.#headerFilled);
      this.#headerFilled += n;
      at += n;
      if (this.#headerFilled === this.#header.length) this.#openHeader();
    }
    if (at === chunk.length) return;
    if (chunk.length - at > this.#payload.length - this.#payloadFilled) {
      this.#fail(
        `holds more than the ${this.#payload.length} bytes of elements that its shape ` +
          `(${excerpt(this.#shape!.join(', '))}) announces; it is damaged, or not what it claims to be`,
      );
    }
    this.#payload.set(at === 0 ? chunk : chunk.subarray(at), this.#payloadFilled);
    this.#payloadFilled += chunk.length - at;
  }

  finish(): IdxArray {
    if (this.#shape === undefined) {
      return this.#fail(
        this.#headerFilled < 4
          ? `has ${this.#headerFilled} bytes; an IDX file starts with 4 magic bytes`
          : `ends within its header: ${this.#headerFilled} of ${this.#header.length} bytes`,
      );
    }
    const { bytes, over } = ELEMENT_TYPES[this.#header[2]];
    if (this.#payloadFilled < this.#payload.length) {
      this.#fail(
        `ends after ${this.#payloadFilled} bytes of elements; shape (${excerpt(this.#shape.join(', '))}) needs ` +
          `${this.#payload.length}. It is truncated: fetch it again`,
        { expected: this.#payload.length, found: this.#payloadFilled },
      );
    }
    const data = over(this.#payload.buffer as SharedArrayBuffer);
    if (bytes > 1) {
      // DataView reads big-endian on any machine; writing through `data` puts the machine's own order in place.
      const raw = new DataView(this.#payload.buffer);
      const type = this.#header[2];
      for (let i = 0, p = 0; i < data.length; i++, p += bytes) {
        data[i] =
          type === 0x0b
            ? raw.getInt16(p)
            : type === 0x0c
              ? raw.getInt32(p)
              : type === 0x0d
                ? raw.getFloat32(p)
                : raw.getFloat64(p);
      }
    }
    return { shape: this.#shape, data };
  }

  #openHeader(): void {
    const header = this.#header;
    if (header.length === 4) {
      if (!isIdx(header)) {
        this.#fail(
          'does not start as an IDX file does (00 00, a type of 08, 09 or 0b to 0e, a rank of at least 1): found ' +
            `${hex(header)}. MNIST images start with 00 00 08 03, labels with 00 00 08 01`,
        );
      }
      this.#header = new Uint8Array(4 + 4 * header[3]);
      this.#header.set(header);
      return;
    }
    const sizes = new DataView(header.buffer);
    const shape = Array.from({ length: header[3] }, (_, k) => sizes.getUint32(4 + 4 * k));
    const bytes = elementCount(shape) * ELEMENT_TYPES[header[2]].bytes;
    // Before anything is allocated.
    const most = this.#compressed ? MOST_DEFLATION * this.#file.size : this.#file.size - header.length;
    if (bytes > most) {
      this.#fail(
        `announces shape (${excerpt(shape.join(', '))}), ${bytes} bytes of elements; the file's ` +
          `${this.#file.size} bytes cannot hold them. It is truncated or damaged: fetch it again`,
        { expected: bytes, found: most },
      );
    }
    this.#shape = shape;
    this.#payload = new Uint8Array(sharedBuffer(bytes, this.#file.path));
  }

  #fail(what: string, data: Record<string, unknown> = {}): never {
    throw new FileFormatError(`${this.#file.path}: ${this.#compressed ? 'unpacked, it' : 'it'} ${what}.`, {
      path: this.#file.path,
      ...data,
    });
  }
}

/**
 * Reads an IDX file, as MNIST comes (`train-images-idx3-ubyte.gz`, or unpacked), all six element types.
 * Failure: FileFormatError (foreign, truncated, damaged, too long), FileAccessError, MemoryError, AbortedError.
 */
export async function readIdx(path: string, control: RunControl = {}): Promise<IdxArray> {
  return withInputFile(path, control, async (file) => {
    const compressed = isGzip(await file.head(2));
    const assembler = new IdxAssembler(file, compressed);
    await streamUnpacked(file, compressed, control, (chunk) => {
      assembler.push(chunk);
      control.onProgress?.({ phase: 'read', ...assembler.progress });
    });
    return assembler.finish();
  });
}
