/** QR factorizations of many blocks in one launch, on every device that has them. */
import { describe, expect, it } from 'vitest';
import { DeviceError } from '#hmatrix/core/errors.js';
import { ROUNDOFF } from '#hmatrix/core/floats.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { sharedTeam } from '../teams.js';
import { numbersOf } from './block-rows.js';
import { useStandIn } from './cuda-stand-in/stand-in.js';
import { DEVICES, whatIsMissing } from './devices.js';
import { at, Room, runWork } from './run-work.js';

useStandIn();

describe.each(DEVICES)('%s in %s', (name, precision) => {
  const missing = whatIsMissing(name);
  if (missing !== undefined) {
    it.skip(missing, () => undefined);
    return;
  }
  const open = async (): Promise<Device> => openDevice(name, {}, { team: await sharedTeam(2) });
  if (name === 'tfjs') {
    it('has_none_and_says_so', async () => {
      const device = await open();
      const none = device.plan({ kind: 'qr', blocks: [] });
      await expect(none).rejects.toThrow(DeviceError);
      await expect(none).rejects.toThrow(/no operations for the launches qr of the device tfjs/);
      await device.close();
    });
    return;
  }
  it('columns_are_orthonormal_and_triangles_theirs_whatever_the_rank', async () => {
    const device = await open();
    const ε = ROUNDOFF[precision];
    const shapes = [
      [1, 1],
      [40, 1],
      [33, 33],
      [300, 20],
      [64, 7],
      [20, 9],
    ];
    const room = new Room(11);
    const triangles = new Room(12);
    const blocks = shapes.map(([rows, columns]) => ({
      rows,
      columns,
      a: room.block(rows, columns, false),
      r: triangles.block(columns, columns, false),
    }));
    const values = numbersOf(room.length, precision, 8);
    // A column that is zero, one that is another's multiple; and a block of zeros.
    const { a } = blocks[3];
    for (let i = 0; i < 300; i++) {
      values[a.offset + i + 4 * a.ld] = 0;
      values[a.offset + i + 9 * a.ld] = 3 * values[a.offset + i + 2 * a.ld];
    }
    for (let j = 0; j < 7; j++) values.fill(0, at(blocks[4].a, 0, j), at(blocks[4].a, 64, j));
    const before = numbersOf(triangles.length, precision, 9);
    const got = await runWork(device, { kind: 'qr', blocks }, { values, triangles: before });
    const written = new Uint8Array(values.length);
    for (const { rows, columns, a: q, r } of blocks) {
      for (let j = 0; j < columns; j++) {
        written.fill(1, at(q, 0, j), at(q, rows, j));
        for (let k = 0; k < columns; k++) {
          let dot = k === j ? -1 : 0;
          for (let i = 0; i < rows; i++) dot += got.values[at(q, i, j)] * got.values[at(q, i, k)];
          expect(Math.abs(dot)).toBeLessThanOrEqual(4 * (rows + columns) * ε);
          if (k > j) expect(got.triangles[at(r, k, j)]).toBe(0);
        }
        let [error, size] = [0, 0];
        for (let i = 0; i < rows; i++) {
          let sum = -values[at(q, i, j)];
          size += sum ** 2;
          for (let k = 0; k <= j; k++) sum += got.values[at(q, i, k)] * got.triangles[at(r, k, j)];
          error += sum ** 2;
        }
        expect(Math.sqrt(error)).toBeLessThanOrEqual(4 * (rows + columns) * ε * Math.sqrt(size));
      }
    }
    got.values.forEach((value, place) => {
      if (written[place] === 0) expect(value).toBe(values[place]);
    });
    const flat = { ...blocks[0], rows: 1, columns: 2 };
    await expect(device.plan({ kind: 'qr', blocks: [flat] })).rejects.toThrow(/1 × 2 for QR: at least as many rows/);
    const broken = { ...blocks[0], rows: blocks[0].columns + 0.5 };
    await expect(device.plan({ kind: 'qr', blocks: [broken] })).rejects.toThrow(/a block whose rows are/);
    await device.close();
  });
});
