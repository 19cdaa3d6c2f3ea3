/**
 * Memory for native routines that belongs to one backend instance, grown on demand.
 */
import { arrayAddress } from '../../native/koffi.js';

/** What is kept between calls; a larger workspace is released after the call that needed it. */
const KEPT_BYTES = 32 * 1024 * 1024;
const SMALLEST = 4096;

/** A buffer of native code's, seen as float64, float32 and int32; kept between calls. */
export class Workspace {
  float64 = new Float64Array(0);
  float32 = new Float32Array(0);
  int32 = new Int32Array(0);
  #address = 0;
  #bytes = 0;

  /** Address of at least that many bytes; contents are kept only while the workspace does not grow. */
  reserve(bytes: number): number {
    if (bytes > this.#bytes) this.#allocate(Math.max(SMALLEST, 8 * Math.ceil((1.25 * bytes) / 8)));
    return this.#address;
  }

  /** Gives back a workspace too large to keep. */
  trim(): void {
    if (this.#bytes > KEPT_BYTES) this.#allocate(SMALLEST);
  }

  #allocate(bytes: number): void {
    const buffer = new ArrayBuffer(bytes);
    this.float64 = new Float64Array(buffer);
    this.float32 = new Float32Array(buffer);
    this.int32 = new Int32Array(buffer);
    this.#address = arrayAddress(this.int32);
    this.#bytes = bytes;
  }
}
