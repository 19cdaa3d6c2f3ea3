/**
 * Functions of data, images and text that take options, by name.
 */
import { join } from 'node:path';
import * as hmatrix from '#hmatrix/index.js';
import { temporaryFolder } from '../io/temporary-folder.js';

/** A call with the options that it is given. */
export type Call = (options: never) => unknown;
/** One of the options that a call takes, and the call. */
export type Entry = readonly [option: string, call: Call];

/** What the call needs and the options tried; what is no object, as it is. */
export const and = <T extends object>(fixed: T, options: never): T =>
  typeof options === 'object' && options !== null ? { ...fixed, ...(options as object) } : options;

const folder = temporaryFolder();
const path = join(folder, 'none');
/** One image of one pixel. */
const image = (): hmatrix.io.LabeledImages => ({
  channels: 1,
  height: 1,
  width: 1,
  classes: ['one'],
  labels: Int32Array.of(0),
  pixels: Uint8Array.of(7),
});

/** Three tokens, as likely after whatever. */
const scorer = (prefixes: readonly Int32Array[]): Float64Array => new Float64Array(3 * prefixes.length).fill(-1);

/** As TAKE_OPTIONS of options.test.ts, which holds these too. */
export const DATA_OPTIONS: Readonly<Record<string, readonly Entry[]>> = {
  readTensors: [['prefix', (o) => hmatrix.io.readTensors(path, o)]],
  writeTensors: [['signal', (o) => hmatrix.io.writeTensors(join(folder, 't.npz'), {}, o)]],
  readCifar10: [['limit', (o) => hmatrix.io.readCifar10(path, o)]],
  imageDataSet: [['precision', (o) => hmatrix.networks.imageDataSet(image(), o)]],
  imageAugmentation: [['padding', (o) => hmatrix.training.imageAugmentation(image(), o)]],
  readSentencePairs: [['limit', (o) => hmatrix.text.readSentencePairs(path, o)]],
  wordTokenizer: [['lowercase', (o) => hmatrix.text.wordTokenizer(['a'], o)]],
  bytePairTokenizer: [['size', (o) => hmatrix.text.bytePairTokenizer(['a'], o)]],
  loadTokenizer: [['signal', (o) => hmatrix.text.loadTokenizer(path, o)]],
  saveTokenizer: [
    ['signal', (o) => hmatrix.text.saveTokenizer(join(folder, 't.json'), hmatrix.text.wordTokenizer(['a']), o)],
  ],
  greedyDecode: [['maxLength', (o) => hmatrix.text.greedyDecode(scorer, 1, and({ bos: 1, eos: 2, maxLength: 2 }, o))]],
  beamSearch: [['lengthPenalty', (o) => hmatrix.text.beamSearch(scorer, 1, and({ bos: 1, eos: 2, maxLength: 2 }, o))]],
  bleu: [['smoothing', (o) => hmatrix.text.bleu(['a'], ['a'], o)]],
  padTokens: [['truncate', (o) => hmatrix.text.padTokens([[4]], { pad: 0, bos: 1, eos: 2 }, o)]],
};
