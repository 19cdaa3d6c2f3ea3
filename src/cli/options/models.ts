/**
 * The options of networks of layers that are trained.
 */
import type { Command } from 'commander';
import { MODEL_NAMES } from '../../experiment/model-names.js';
import { finiteNumber, wholeNumber } from '../usage.js';
import { MAX_SIZE, named, positive } from './common.js';

/** Reads a share below one. */
const share = finiteNumber('from 0 to below 1', (value) => value >= 0 && value < 1);

/** --model, its data and its sizes; what has no default here is the model's own. */
export const withModel = (command: Command): Command =>
  command
    .addOption(
      named(
        '--model <name>',
        'a network of layers instead of a perceptron, with defaults of its own for optimizer, rate, batch and epochs',
        MODEL_NAMES,
      ),
    )
    .option('--augment', "of a --model for images: crops and, in colour, mirrors them at random (default: the model's)")
    .option('--no-augment', 'leaves them')
    .option('--width <w>', 'of mobilenet: its channels as a share of the published ones (1)', positive)
    .option('--code <n>', 'of vae: numbers of the code (16)', wholeNumber(1, MAX_SIZE))
    .option(
      '--text <file>',
      'of transformer: on each line a sentence, a tab, its translation; of language-model a sentence; else they are ' +
        'generated',
    )
    .option('--words <n>', 'most words of a language that are told apart (8000)', wholeNumber(5, MAX_SIZE))
    .option(
      '--length <n>',
      'most words of a sentence: longer pairs are left out, sentences cut (64)',
      wholeNumber(2, 4096),
    )
    .option('--features <d>', "numbers of a word's vector (64)", wholeNumber(1, MAX_SIZE))
    .option('--heads <h>', 'heads of attention (4)', wholeNumber(1, 4096))
    .option('--layers <n>', 'layers, of an encoder and a decoder so many each (2)', wholeNumber(1, 4096))
    .option('--smoothing <share>', 'of every target that all words have (transformer: 0.1, language-model: 0)', share)
    .option('--beams <k>', 'hypotheses kept for BLEU; one: the likeliest next word (1)', wholeNumber(1, 1000));
