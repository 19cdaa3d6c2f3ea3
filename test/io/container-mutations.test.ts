/**
 * Five thousand damaged files of a hierarchical matrix: bytes of all records and headers cut off or changed,
 * members that changed their names, lengths at the ends of what 32 bits and float64 hold. Each gives a typed error, or
 * nothing in it depended on what was changed and the matrix is the one that was saved, to the bit: none is read wrong.
 * Everything is made from a seed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { HmatrixError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { normalPoints } from '#datasets/points.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { save } from '#hmatrix/files/save.js';
import { load } from '#hmatrix/files/load.js';
import { readContainer, type Container } from '#hmatrix/io/container.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { sharedTeam } from '../teams.js';
import { temporaryFolder } from './temporary-folder.js';

const path = join(temporaryFolder(), 'k.npz');
const LOCAL = 0x04034b50;
const ENTRY = 0x02014b50;

let team: Team;
let whole: Buffer;
let intact: Container;
/** Where each member's local header, its bytes and its entry in the directory begin, and its name. */
let members: { local: number; begin: number; end: number; entry: number; name: string }[];
/** Places of all bytes but the elements of arrays. */
let telling: number[];
/** Files read so far. */
let mutants = 0;

beforeAll(async () => {
  team = await sharedTeam(1);
  const source = kernelSource(normalPoints(90, 2, 3), gaussian(1), { blas: team.blas });
  const matrix = await compress(source, { leafSize: 24, tolerance: 1e-3, format: 'hss' }, { team });
  await save(path, matrix);
  whole = readFileSync(path);
  intact = await readContainer(path);
  members = [];
  for (let at = 0; whole.readUInt32LE(at) === LOCAL;) {
    const nameLength = whole.readUInt16LE(at + 26);
    const begin = at + 30 + nameLength + whole.readUInt16LE(at + 28);
    const end = begin + Number(whole.readBigUInt64LE(at + 34 + nameLength));
    members.push({ local: at, begin, end, entry: 0, name: whole.toString('utf8', at + 30, at + 30 + nameLength) });
    at = end;
  }
  let at = members.at(-1)!.end;
  for (const member of members) {
    expect(whole.readUInt32LE(at)).toBe(ENTRY);
    member.entry = at;
    at += 46 + whole.readUInt16LE(at + 28) + whole.readUInt16LE(at + 30);
  }
  const elements = new Uint8Array(whole.length);
  for (const { begin, end, name } of members) if (name !== 'hmatrix.json') elements.fill(1, begin + 128, end);
  telling = [...elements.keys()].filter((k) => elements[k] === 0);
});

/** Every third of the places: headers of members are alike, and of lengths that three does not divide. */
const everyThird = (first: number): number[] => telling.filter((_, k) => k % 3 === first);

/** Reads a damaged file: a typed error, or what was saved. Whether it was the latter. */
async function harmless(bytes: Uint8Array, what: string): Promise<boolean> {
  mutants++;
  writeFileSync(path, bytes);
  const read: unknown = await readContainer(path).catch((error: unknown) => error);
  if (read instanceof Error) {
    expect(read, `${what}: ${read.stack}`).toBeInstanceOf(HmatrixError);
    return false;
  }
  expect(sameBits(read as Container, intact), what).toBe(true);
  return true;
}

/** Whether both hold the same, faster told than by toEqual. */
const sameBits = (a: Container, b: Container): boolean =>
  JSON.stringify(a.header) === JSON.stringify(b.header) &&
  Object.keys(a.arrays).join() === Object.keys(b.arrays).join() &&
  Object.entries(a.arrays).every(([name, array]) => {
    const other = b.arrays[name];
    return array.constructor === other.constructor && Buffer.from(array.buffer).equals(Buffer.from(other.buffer));
  });

/** The file with bytes in place of others. */
function patched(at: number, bytes: Uint8Array): Buffer {
  const copy = Buffer.from(whole);
  copy.set(bytes, at);
  return copy;
}

describe('a damaged file of a matrix is refused, or read as it was saved', () => {
  it('cut within its headers', async () => {
    for (const length of everyThird(0))
      expect(await harmless(whole.subarray(0, length), `cut at ${length}`)).toBe(false);
  });

  it('without one byte of its headers', async () => {
    for (const at of everyThird(1)) {
      const shorter = Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]);
      expect(await harmless(shorter, `without byte ${at}`)).toBe(false);
    }
  });

  it('with a flipped bit', async () => {
    const random = new RandomStream(1, 0);
    let same = 0;
    for (const at of everyThird(2)) {
      const bit = 1 << random.integer(8);
      if (await harmless(patched(at, Uint8Array.of(whole[at] ^ bit)), `bit ${bit} of byte ${at}`)) same++;
    }
    // Zeros that align members, dates, versions and attributes: nothing is told by them.
    expect(same).toBeLessThan((members.length * (64 + 40) + 80) / 3);
    for (let k = 0; k < 500; k++) {
      const at = random.integer(whole.length);
      await harmless(patched(at, Uint8Array.of(whole[at] ^ (1 << random.integer(8)))), `byte ${at}`);
    }
  });

  it('with lengths, places and counts at the ends of their ranges', async () => {
    const wide = [2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n];
    const places: number[] = [];
    for (const { local, entry, name } of members) {
      const from = local + 30 + Buffer.byteLength(name) + 4;
      const to = entry + 46 + Buffer.byteLength(name) + 4;
      places.push(from, from + 8, to, to + 8, to + 16);
    }
    const end = whole.length - 22 - 20 - 56;
    places.push(...[4, 24, 32, 40, 48].map((at) => end + at), whole.length - 22 - 12);
    for (const at of places)
      for (const value of wide) {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64LE(value);
        await harmless(patched(at, bytes), `${value} at ${at}`);
      }
  });

  it('with members that changed their names, in all their headers', async () => {
    for (const a of members)
      for (const b of members) {
        if (a.name === b.name || a.name.length !== b.name.length) continue;
        const copy = Buffer.from(whole);
        for (const [one, other] of [
          [a, b],
          [b, a],
        ]) {
          copy.write(other.name, one.local + 30);
          copy.write(other.name, one.entry + 46);
        }
        expect(await harmless(copy, `${a.name} and ${b.name}`)).toBe(false);
      }
  });

  it('thousands of them', async () => {
    const random = new RandomStream(3, 0);
    while (mutants < 5000) {
      const copy = Buffer.from(whole);
      for (let changes = 1 + random.integer(3); changes > 0; changes--)
        copy[telling[random.integer(telling.length)]] = random.integer(256);
      await harmless(copy, `mutant ${mutants}`);
    }
    writeFileSync(path, whole);
    expect(Object.keys(intact.arrays)).toHaveLength(15);
    expect((await load(path, { kind: 'hierarchical matrix', team })).size).toBe(90);
    expect(mutants).toBeGreaterThanOrEqual(5000);
  });
});
