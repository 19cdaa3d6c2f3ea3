import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileAccessError, OptionError } from '#hmatrix/core/errors.js';
import { writeAtomically } from '#hmatrix/io/atomic-write.js';
import { readContainer } from '#hmatrix/io/container.js';
import { readCsv } from '#hmatrix/io/csv.js';
import { readIdx } from '#hmatrix/io/idx.js';
import { readLabels } from '#hmatrix/io/labels.js';
import { readNpy } from '#hmatrix/io/npy.js';
import { readNpz } from '#hmatrix/io/npz.js';
import { readPoints } from '#hmatrix/io/points.js';
import { readSafetensors } from '#hmatrix/io/safetensors.js';
import { temporaryFolder } from './temporary-folder.js';

const root = temporaryFolder();
let serial = 0;
function fresh(): { folder: string; path: string } {
  const folder = join(root, String(serial++));
  mkdirSync(folder);
  return { folder, path: join(folder, 'out.bin') };
}
const text = (s: string): Uint8Array => new TextEncoder().encode(s);

describe('writing whole or not at all', () => {
  it('the new file is there, and nothing else', async () => {
    const { folder, path } = fresh();
    await writeAtomically(path, {}, async (file) => {
      await file.append(text('abc'));
      await file.align(8);
      expect(existsSync(path)).toBe(false);
      await file.append(Float64Array.of(1));
      await file.writeAt(text('X'), 0);
    });
    expect(readdirSync(folder)).toEqual(['out.bin']);
    expect(readFileSync(path)).toEqual(
      Buffer.concat([text('Xbc'), new Uint8Array(5), new Uint8Array(Float64Array.of(1).buffer)]),
    );
  });

  it('a failure leaves the old file and no debris', async () => {
    const { folder, path } = fresh();
    writeFileSync(path, 'old');
    const failing = writeAtomically(path, {}, async (file) => {
      await file.append(text('half of it'));
      throw new RangeError('on purpose');
    });
    await expect(failing).rejects.toThrow('on purpose');
    expect(readdirSync(folder)).toEqual(['out.bin']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('an abort between chunks, or after the last one, leaves the old file and no debris', async () => {
    const { folder, path } = fresh();
    writeFileSync(path, 'old');
    const large = new Float64Array(new SharedArrayBuffer(24 * 1024 * 1024));
    for (const stopAt of [1, 2, 3]) {
      const controller = new AbortController();
      let chunks = 0;
      const writing = writeAtomically(path, { signal: controller.signal }, (file) =>
        file.append(large, () => {
          if (++chunks === stopAt) controller.abort();
        }),
      );
      await expect(writing).rejects.toThrow(AbortedError);
      expect(chunks).toBe(stopAt);
      expect(readdirSync(folder)).toEqual(['out.bin']);
      expect(readFileSync(path, 'utf8')).toBe('old');
    }
  });

  it('writers of the same name do not mix', async () => {
    const { folder, path } = fresh();
    const letters = ['a', 'b', 'c', 'd'];
    await Promise.all(
      letters.map((letter) =>
        writeAtomically(path, {}, async (file) => {
          for (let k = 0; k < 50; k++) await file.append(text(letter));
        }),
      ),
    );
    expect(letters.map((letter) => letter.repeat(50))).toContain(readFileSync(path, 'utf8'));
    expect(readdirSync(folder)).toEqual(['out.bin']);
  });

  it('a link stays a link, permissions stay', async () => {
    const { folder, path } = fresh();
    const link = join(folder, 'link');
    writeFileSync(path, 'old');
    chmodSync(path, 0o640);
    symlinkSync(path, link);
    await writeAtomically(link, {}, (file) => file.append(text('new')));
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('any name that the file system takes can be written, up to its last byte', async () => {
    const { folder } = fresh();
    for (const name of ['a'.repeat(200), 'b'.repeat(255), 'é'.repeat(127), `${'漢'.repeat(84)}.hm`, '😀'.repeat(63)]) {
      await writeAtomically(join(folder, name), {}, (file) => file.append(text(name)));
      expect(readFileSync(join(folder, name), 'utf8')).toBe(name);
      expect(readdirSync(folder)).toEqual([name]);
      unlinkSync(join(folder, name));
    }
    await expect(writeAtomically(join(folder, 'a'.repeat(256)), {}, () => Promise.resolve())).rejects.toThrow(
      /longer than the file system allows \(ENAMETOOLONG\)/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('what is no path is a typed error, for readers and writers alike', async () => {
    const nul = join(root, 'a\0b.npy');
    const opened = [
      (path: string) => writeAtomically(path, {}, () => Promise.resolve()),
      ...[readNpy, readPoints, readLabels, readIdx, readNpz, readSafetensors, readContainer, readCsv].map(
        (read) => (path: string) => read(path),
      ),
    ];
    for (const open of opened) {
      await expect(open(nul)).rejects.toThrow(FileAccessError);
      await expect(open(nul)).rejects.toThrow(/a path holds no NUL character/);
      for (const none of [undefined, null, 3, '']) await expect(open(none as string)).rejects.toThrow(OptionError);
    }
  });

  it('no such folder, or a folder by that name, is a FileAccessError', async () => {
    const { folder } = fresh();
    await expect(writeAtomically(join(folder, 'none', 'x'), {}, () => Promise.resolve())).rejects.toThrow(
      /no such file or folder/,
    );
    await expect(writeAtomically(folder, {}, () => Promise.resolve())).rejects.toThrow(FileAccessError);
    expect(readdirSync(folder)).toEqual([]);
  });
});
