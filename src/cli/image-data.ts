/**
 * Images for networks of layers, from the command's options: IDX files as MNIST comes, CIFAR-10's binary files, a
 * folder with either, or generated digits and shapes.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { GreyImages } from '../experiment/image-sets.js';
import type { LabeledImages } from '../io/labeled-images.js';
import type { TeamControl } from '../parallel/team-control.js';
import { UsageError } from './usage.js';

/** Which images are wanted. */
export interface ImageOptions {
  /** A file, or a folder. */
  readonly images?: string | undefined;
  readonly labels?: string | undefined;
  /** The first so many. */
  readonly samples: number;
  readonly seed: number;
  /** What is taken without a file. */
  readonly generated: 'digits' | 'shapes';
  /** Whether classes are needed. */
  readonly classes: boolean;
}

/** Grey ones from 0 to 1, or bytes in colour. */
export type OpenImages = { readonly name: string } & (
  ({ readonly kind: 'grey' } & GreyImages) | { readonly kind: 'bytes'; readonly images: LabeledImages }
);

/** Classes of digits. */
const DIGITS = 10;

const CIFAR = /^data_batch_[1-5]\.bin(\.gz)?$/;
const BINARY = /\.bin(\.gz)?$/i;
const MNIST = /^(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?$/;

/** What is read of a path: files of CIFAR-10, or images with their labels. Throws UsageError. */
async function filesOf({
  images,
  labels,
  classes,
}: ImageOptions): Promise<
  { readonly cifar: readonly string[] } | { readonly images: string; readonly labels: string | undefined }
> {
  const path = images!;
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    if (BINARY.test(path)) return { cifar: [path] };
    if (classes && labels === undefined) throw new UsageError('--model with --images needs their --labels.');
    return { images: path, labels };
  }
  const names = (await readdir(path)).sort();
  const cifar = names.filter((name) => CIFAR.test(name)).map((name) => join(path, name));
  if (cifar.length > 0) return { cifar };
  for (const set of ['train', 't10k']) {
    const find = (what: string): string | undefined =>
      names.find((name) => MNIST.exec(name)?.slice(1, 3).join('-') === `${set}-${what}`);
    const [found, wanted] = [find('images'), labels ?? find('labels')];
    if (found === undefined || (classes && wanted === undefined)) continue;
    return { images: join(path, found), labels: wanted === undefined ? undefined : (labels ?? join(path, wanted)) };
  }
  throw new UsageError(
    `--images ${path}: there is neither data_batch_1.bin (CIFAR-10, binary version) nor train-images-idx3-ubyte and ` +
      'train-labels-idx1-ubyte (MNIST, .gz too) in this folder. Name a file, or another folder.',
  );
}

/** Opens them. Throws UsageError, and what reading throws. */
export async function openImages(options: ImageOptions, control: TeamControl): Promise<OpenImages> {
  const { images, labels, samples, seed, generated, classes } = options;
  if (images === undefined) {
    if (generated === 'shapes') {
      const { shapeImages } = await import('../../datasets/shapes.js');
      return { kind: 'bytes', images: shapeImages(samples, seed), name: 'generated shapes' };
    }
    const { digitImages } = await import('../../datasets/digits.js');
    const digits = digitImages(samples, seed);
    return { kind: 'grey', images: digits.images, labels: digits.labels, classes: DIGITS, name: 'generated digits' };
  }
  const files = await filesOf(options);
  const name = basename(images);
  if ('cifar' in files) {
    if (labels !== undefined) throw new UsageError('--labels goes with images in IDX files: CIFAR-10 has its own.');
    const { readCifar10 } = await import('../io/cifar10.js');
    const { signal, onProgress } = control;
    return { kind: 'bytes', images: await readCifar10(files.cifar, { limit: samples, signal, onProgress }), name };
  }
  const { readLabeledImages } = await import('../experiment/network-data.js');
  const read = await readLabeledImages(files.images, classes ? files.labels : undefined, samples, control);
  return { kind: 'grey', images: read.images, labels: read.labels, name };
}
