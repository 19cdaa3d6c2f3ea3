/**
 * A text file that grows line by line: records of a run while it runs.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { accessError, requirePath } from './input-file.js';

/** An open file; lines wait until `flush`. */
export class LineFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #waiting: string[] = [];
  #bytes: number;

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /**
   * Opens `path`, made where there is none, and keeps its first `keep` bytes: what is appended follows them. Throws
   * FileAccessError.
   */
  static async open(path: string, keep: number): Promise<LineFile> {
    requirePath(path);
    try {
      const handle = await open(path, 'a');
      const { size } = await handle.stat();
      const bytes = Math.min(size, keep);
      if (size > bytes) await handle.truncate(bytes);
      return new LineFile(path, handle, bytes);
    } catch (error) {
      throw accessError(error, 'write', path);
    }
  }

  /** Bytes of the file, without lines that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  add(line: string): void {
    this.#waiting.push(line);
  }

  /** Appends the lines that wait. Throws FileAccessError. */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const text = new TextEncoder().encode(`${this.#waiting.join('\n')}\n`);
    this.#waiting = [];
    try {
      await this.#handle.appendFile(text);
    } catch (error) {
      throw accessError(error, 'write', this.#path);
    }
    this.#bytes += text.length;
  }

  /** Appends what waits, and closes the file. Throws FileAccessError. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#handle.close();
    }
  }
}
