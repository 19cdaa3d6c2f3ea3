/** Images and labels of files: as many of both, whatever the kind of file and the limit. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import { readLabeledImages } from '#hmatrix/experiment/network-data.js';
import { writeNpy } from '#hmatrix/io/npy.js';
import { idxBytes } from '../io/idx-bytes.js';
import { temporaryFolder } from '../io/temporary-folder.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const count = 6;

describe('images and labels of files', () => {
  it.each(['images.idx3', 'images.npy', 'images.csv'])('are_as_many_of_both_whatever_the_limit: %s', async (name) => {
    const pixels = Uint8Array.from({ length: 4 * count }, (_, k) => k);
    if (name.endsWith('idx3')) writeFileSync(at(name), idxBytes(8, [count, 2, 2], pixels));
    else if (name.endsWith('npy')) await writeNpy(at(name), { shape: [count, 4], data: pixels });
    else
      writeFileSync(
        at(name),
        Array.from({ length: count }, (_, i) => pixels.slice(4 * i, 4 * i + 4).join(',')).join('\n'),
      );
    for (const labels of [0, 1, count - 1, count, count + 1, 10 * count]) {
      writeFileSync(at('labels'), idxBytes(8, [labels], new Uint8Array(labels).fill(3)));
      for (const limit of [1, count - 1, count, count + 5]) {
        const reading = readLabeledImages(at(name), at('labels'), limit);
        if (labels !== count) {
          await expect(reading).rejects.toThrow(ShapeError);
          await expect(reading).rejects.toThrow(`holds ${count} images, ${at('labels')} ${labels} labels`);
        } else {
          const read = await reading;
          expect([read.images.count, read.labels?.length]).toEqual([Math.min(limit, count), Math.min(limit, count)]);
        }
      }
    }
    expect((await readLabeledImages(at(name), undefined, 2)).labels).toBeUndefined();
  });
});
