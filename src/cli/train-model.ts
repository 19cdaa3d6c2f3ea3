/**
 * hmatrix train --model: which options go together, what a model is trained with where nobody says, and what is
 * written of it.
 */
import { OPTIONS_OF_MODELS, type ModelName } from '../experiment/model-names.js';
import type { RunMethod } from '../experiment/training-run.js';
import { READING_OPTIONS } from '../io/csv-format.js';
import type { FloatArray } from '../core/floats.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Setting } from '../training/optimizer.js';
import type { TrainCommandOptions } from './command-options.js';
import type { OpenModel } from './model-data.js';
import { asFlag, UsageError } from './usage.js';

/** What is of perceptrons alone, and what to do instead. */
const OF_PERCEPTRONS: Readonly<Record<string, string>> = {
  network: 'a --model has its own layers',
  hidden: 'a --model has its own layers',
  loss: 'a --model has its own loss',
  data: 'a --model takes --images, or --text',
  targets: 'a --model takes --images, or --text',
  target: 'a --model takes --images, or --text',
  ...Object.fromEntries(READING_OPTIONS.map((name) => [name, 'a --model takes --images, or --text, and no table'])),
  columns: 'a --model takes --images, or --text, and no table',
  standardize: 'channels of images are standardized anyway',
  rotateInputs: 'the inputs of a --model stay as they are',
};

/** Throws UsageError for options of a perceptron beside a model, and of other models. */
export function checkModel(options: TrainCommandOptions): void {
  const { model } = options;
  const given = (name: string): boolean => options[name as keyof TrainCommandOptions] !== undefined;
  if (model === undefined) {
    const stray = Object.keys(OPTIONS_OF_MODELS).find((name) => !OF_BOTH.has(name) && given(name));
    if (stray === undefined) return;
    throw new UsageError(`${asFlag(stray)} goes with --model ${OPTIONS_OF_MODELS[stray].join(', ')}.`);
  }
  const own = Object.entries(OF_PERCEPTRONS).find(([name]) => given(name));
  if (own !== undefined)
    throw new UsageError(`${asFlag(own[0])} is of perceptrons: ${own[1]}. Leave it out, or leave out --model.`);
  if (options.activationGiven === true || !options.bias)
    throw new UsageError('--activation and --no-bias are of perceptrons: a --model has its own layers.');
  const foreign = Object.entries(OPTIONS_OF_MODELS).find(([name, those]) => given(name) && !those.includes(model));
  if (foreign !== undefined)
    throw new UsageError(
      `${asFlag(foreign[0])} does not go with --model ${model}: it is of ${foreign[1].join(', ')}. Leave it out.`,
    );
}

/** Options of models that perceptrons take, too. */
const OF_BOTH: ReadonlySet<string> = new Set(['images', 'labels', 'dropout']);

/** The options with the model's own where nobody says, and what goes before an optimizer's own settings. */
export async function trainingOf(
  model: ModelName,
  options: TrainCommandOptions,
): Promise<{
  readonly asked: TrainCommandOptions;
  readonly settings: Readonly<Record<string, Setting>>;
}> {
  const { MODELS } = await import('../experiment/models.js');
  const { training } = MODELS[model];
  const { optimizer = training.optimizer, epochs, steps, seconds } = options;
  const { batchSize, ...settings } = training.settings[optimizer] ?? {};
  const isLimited = epochs !== undefined || steps !== undefined || seconds !== undefined;
  return {
    asked: {
      ...options,
      optimizer,
      batchSize: options.batchSize ?? batchSize,
      epochs: isLimited ? epochs : training.epochs,
      // That is of the layers.
      dropout: undefined,
    },
    settings,
  };
}

/** Pixels added on each side before a crop: one for so many of a side, as CIFAR-10's 32 have 4. */
const PADDED = 8;

/** The way of training, images moved where that is wanted: cropped anywhere, those in colour mirrored by chance. */
export async function movedBy(how: RunMethod, { moved, setup: { seed } }: OpenModel): Promise<RunMethod> {
  if (moved === null) return how;
  const { imageAugmentation } = await import('../training/data/image-augmentation.js');
  const { channels, height, width } = moved;
  const padding = Math.max(1, Math.round(height / PADDED));
  const augment = imageAugmentation({ channels, height, width }, { padding, flip: channels > 1, seed });
  return { ...how, options: { ...how.options, augment } };
}

/**
 * Writes the weights by PyTorch's names, and beside them the tokenizers of words: NAME.source.json and NAME.target.json
 * of a network that translates, NAME.words.json of others. Throws FileAccessError, AbortedError.
 */
export async function writeModel(
  path: string,
  { setup: { network }, tokenizers }: OpenModel,
  parameters: FloatArray,
  { signal }: TeamControl,
): Promise<void> {
  const { toStateDict } = await import('../layers/state-dict.js');
  const { writeTensors } = await import('../io/tensors.js');
  const { saveTokenizer } = await import('../text/tokenizer-file.js');
  await writeTensors(path, toStateDict(network, parameters), { signal });
  for (const [name, tokenizer] of Object.entries(tokenizers))
    await saveTokenizer(path.replace(/\.safetensors$/i, `.${name}.json`), tokenizer, { signal });
}
