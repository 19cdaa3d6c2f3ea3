/**
 * Damaged files of every format that is read: flipped, lost, doubled and strange bytes, cut ends, absurd numbers in
 * texts. Reading gives a result of bounded size or a typed error, never a crash or a hang. Everything is made from a
 * seed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { HmatrixError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { normalPoints } from '#datasets/points.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { save } from '#hmatrix/files/save.js';
import { load } from '#hmatrix/files/load.js';
import { describeMatrixFile } from '#hmatrix/hierarchical/matrix/file.js';
import { readContainer } from '#hmatrix/io/container.js';
import { crc32 } from '#hmatrix/io/crc32.js';
import { readCsv } from '#hmatrix/io/csv.js';
import { readIdx } from '#hmatrix/io/idx.js';
import { readLabels } from '#hmatrix/io/labels.js';
import { readNpy } from '#hmatrix/io/npy.js';
import { readNpz } from '#hmatrix/io/npz.js';
import { readPoints } from '#hmatrix/io/points.js';
import { readSafetensors } from '#hmatrix/io/safetensors.js';
import { readWeights } from '#hmatrix/network/weights-file.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { sharedTeam } from '../teams.js';
import { flaxNpz, halfSafetensors, numpyDeflated, numpyStored, torchSafetensors } from './array-fixtures.js';
import { idxBytes } from './idx-bytes.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const MUTANTS = 80;
/** What a reader may make of a mutated file of some kilobytes: deflate shrinks by 1032 : 1 at most. */
const MOST_BYTES = 64 * 1024 * 1024;

const strange = [
  '9',
  '-1',
  '99999999999999999999',
  '1e400',
  'NaN',
  '\0',
  '"',
  '[[[[[[[[',
  '{"',
  "('",
  '\u00ff',
  '\r\n',
  ',,,,',
  '4294967295',
].map((text) => Buffer.from(text));

/** `bytes` with one to three changes. */
function mutated(bytes: Uint8Array, random: RandomStream): Buffer {
  let out = Buffer.from(bytes);
  for (let changes = 1 + random.integer(3); changes > 0; changes--) {
    const at = random.integer(out.length + 1);
    const length = Math.min(out.length - at, 1 + random.integer(9));
    const part = out.subarray(at, at + length);
    const before = out.subarray(0, at);
    const after = out.subarray(at + length);
    switch (random.integer(7)) {
      case 0:
        if (at < out.length) out[at] ^= 1 << random.integer(8);
        break;
      case 1:
        if (at < out.length) out[at] = [0, 1, 127, 128, 255][random.integer(5)];
        break;
      case 2:
        out = Buffer.concat([before, after]);
        break;
      case 3:
        out = Buffer.concat([before, part, part, after]);
        break;
      case 4:
        out = Buffer.concat([before, strange[random.integer(strange.length)], after]);
        break;
      case 5:
        out = Buffer.concat([before, strange[random.integer(strange.length)], part, after]);
        break;
      default:
        out = Buffer.from(before);
        break;
    }
  }
  return out;
}

/** Bytes of all typed arrays within a result. */
function bytesWithin(value: unknown): number {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (value instanceof Map) return [...value.values()].reduce((sum: number, one) => sum + bytesWithin(one), 0);
  return typeof value === 'object' && value !== null
    ? Object.values(value).reduce((sum: number, one) => sum + bytesWithin(one), 0)
    : 0;
}

/** Reads mutants of `bytes`. `repair` makes a mutant's checksums right again, for those behind them to be seen. */
async function survive(
  name: string,
  bytes: Uint8Array,
  readers: readonly ((path: string) => Promise<unknown>)[],
  repair: (mutant: Buffer) => Buffer = (mutant) => mutant,
): Promise<void> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  for (const read of readers) await read(path);
  const random = new RandomStream(20, bytes.length);
  for (let k = 0; k < MUTANTS; k++) {
    writeFileSync(path, repair(mutated(bytes, random)));
    for (const read of readers) {
      const result = await read(path).catch((error: unknown) => error);
      if (result instanceof Error) {
        expect(result, `mutant ${k}: ${result.stack}`).toBeInstanceOf(HmatrixError);
        expect(result.message.length, `mutant ${k}`).toBeLessThan(2000);
      } else expect(bytesWithin(result), `mutant ${k}`).toBeLessThan(MOST_BYTES);
    }
  }
}

const npy = (descr: string, shape: string, payload: Uint8Array): Buffer => {
  const text = `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + '\n';
  return Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from('NUMPY\x01\0'),
    Buffer.from([text.length & 255, text.length >> 8]),
    Buffer.from(text),
    payload,
  ]);
};
const payload = Uint8Array.from({ length: 96 }, (_, k) => (k * 37) & 63);
const table = `x,y,z\n${Array.from({ length: 12 }, (_, k) => `${k / 7},"${-k}",${k}e-3`).join('\n')}\n`;
const images = idxBytes(8, [3, 2, 4], payload.subarray(0, 24));

describe('mutated files give a result of bounded size or a typed error', () => {
  it.each<[string, Uint8Array, ((path: string) => Promise<unknown>)[]]>([
    ['plain.npy', npy("'<f8'", '(4, 3)', payload), [readNpy, readPoints]],
    ['half.npy', npy("'>f2'", '(48,)', payload), [readNpy]],
    ['whole.npy', npy("'<i8'", '(2, 6)', payload), [readNpy]],
    ['records.npy', npy("[('x', '<f8'), ('', '|V2'), ('y', '>i2')]", '(8,)', payload), [readNpy, readPoints]],
    ['stored.npz', numpyStored, [readNpz]],
    ['deflated.npz', numpyDeflated, [readNpz]],
    ['flax.npz', flaxNpz, [(path) => readWeights(path)]],
    ['images', images, [readIdx, readPoints]],
    ['images.gz', gzipSync(images), [readIdx, readPoints]],
    ['labels', idxBytes(0x0c, [3, 8], payload), [readIdx, readLabels]],
    ['table.csv', Buffer.from(table), [readCsv, readPoints]],
    ['torch.safetensors', torchSafetensors, [readSafetensors, (path) => readWeights(path)]],
    ['half.safetensors', halfSafetensors, [readSafetensors]],
  ])('%s', async (name, bytes, readers) => {
    await survive(name, bytes, readers);
  });
});

describe('nested deeper than any stack', () => {
  const deep = (text: string): string => text.repeat(200_000);
  const header = (text: string): Buffer => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
    return Buffer.concat([length, Buffer.from(text)]);
  };
  it.each<[string, Uint8Array, (path: string) => Promise<unknown>]>([
    [
      'a shape of safetensors',
      header(`{"a":{"dtype":"F64","shape":${deep('[')}${deep(']')},"data_offsets":[0,0]}}`),
      readSafetensors,
    ],
    [
      'offsets of safetensors',
      header(`{"a":{"dtype":"F64","shape":[0],"data_offsets":${deep('[')}${deep(']')}}}`),
      readSafetensors,
    ],
    ['metadata of safetensors', header(`{"__metadata__":{"a":${deep('[')}${deep(']')}}}`), readSafetensors],
    ['a header of safetensors', header(`{"a":${deep('[')}`), readSafetensors],
    ['a header of .npy', npy(deep('['), '(1,)', payload), readNpy],
  ])('%s', async (_, bytes, read) => {
    const path = join(folder, 'deep');
    writeFileSync(path, bytes);
    const error: unknown = await read(path).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(HmatrixError);
    expect((error as Error).message.length).toBeLessThan(1000);
  });
});

describe('mutated hierarchical matrices', () => {
  let team: Team;
  let bytes: Uint8Array;
  beforeAll(async () => {
    team = await sharedTeam(1);
    const matrix = await compress(
      kernelSource(normalPoints(90, 2, 3), gaussian(1), { blas: team.blas }),
      { leafSize: 24, tolerance: 1e-3, format: 'hss' },
      { team },
    );
    await save(join(folder, 'k.hm'), matrix);
    bytes = readFileSync(join(folder, 'k.hm'));
  });

  const loaded = async (path: string): Promise<unknown> => {
    const matrix = await load(path, { kind: 'hierarchical matrix', team });
    const { size, memory } = { size: matrix.size, memory: matrix.memory() };
    matrix.release();
    return { size, memory };
  };

  it('as they are: checksums see it', async () => {
    await survive('k.hm', bytes, [readContainer, describeMatrixFile, loaded]);
  });

  /** The checksums that the archive's records and the header should have of what the file now holds. */
  const repaired = (mutant: Buffer): Buffer => {
    const sums: string[] = [];
    let headerAt = 0;
    let header = '';
    for (let at = 0; at + 30 <= mutant.length && mutant.readUInt32LE(at) === 0x04034b50;) {
      const name = mutant.readUInt16LE(at + 26);
      const begin = at + 30 + name + mutant.readUInt16LE(at + 28);
      const length = at + 42 + name <= mutant.length ? Number(mutant.readBigUInt64LE(at + 34 + name)) : 0;
      const member = mutant.subarray(begin, begin + length);
      if (at === 0) [headerAt, header] = [begin, member.toString('latin1')];
      else sums.push(crc32(member).toString(16).padStart(8, '0'));
      at = begin + length;
    }
    let k = 0;
    mutant.write(
      header.replace(/(?<="crc32":")[0-9a-f]{8}/g, (sum) => sums[k++] ?? sum),
      headerAt,
      'latin1',
    );
    const own = [crc32(Buffer.from(header, 'latin1')), ...sums.map((sum) => Number.parseInt(sum, 16))];
    own[0] = crc32(mutant.subarray(headerAt, headerAt + header.length));
    let member = 0;
    for (let at = 0; at + 46 <= mutant.length; at++) {
      const signature = mutant.readUInt32LE(at);
      if (signature === 0x02014b50) mutant.writeUInt32LE(own[member++] ?? 0, at + 16);
    }
    for (let at = 0, j = 0; at + 30 <= mutant.length && mutant.readUInt32LE(at) === 0x04034b50; j++) {
      mutant.writeUInt32LE(own[j], at + 14);
      const name = mutant.readUInt16LE(at + 26);
      const length = at + 42 + name <= mutant.length ? Number(mutant.readBigUInt64LE(at + 34 + name)) : 0;
      at += 30 + name + mutant.readUInt16LE(at + 28) + length;
    }
    return mutant;
  };

  it('with checksums made right again: what they say is checked', async () => {
    await survive('k.hm', bytes, [readContainer, describeMatrixFile, loaded], repaired);
  });
});
