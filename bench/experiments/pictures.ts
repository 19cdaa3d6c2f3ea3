/**
 * Grey pictures of 28 × 28 tiles, kept as PGM files that any viewer shows.
 */
import { writeFileSync } from 'node:fs';
import type { Matrix } from '../../src/dense/matrix.js';
import type { Picture } from './experiment.js';

const SIDE = 28;

/** Columns of the matrices, values from 0 to 1, as tiles: one matrix a row of tiles. */
export function tiles(rows: readonly Matrix[]): Picture {
  const width = SIDE * Math.max(...rows.map(({ cols }) => cols));
  const height = SIDE * rows.length;
  const pixels = new Uint8Array(width * height);
  rows.forEach(({ data, offset, cols, ld }, r) => {
    for (let c = 0; c < cols; c++)
      for (let i = 0; i < SIDE; i++)
        for (let j = 0; j < SIDE; j++) {
          const value = data[offset + c * ld + i * SIDE + j];
          pixels[(r * SIDE + i) * width + c * SIDE + j] = Math.round(255 * Math.min(1, Math.max(0, value)));
        }
  });
  return { width, height, pixels };
}

/** Writes a picture as binary PGM. */
export function writePicture(path: string, { width, height, pixels }: Picture): void {
  writeFileSync(path, Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), pixels]));
}
