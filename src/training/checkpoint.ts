/**
 * Checkpoints: the whole state of a training run in one file of named arrays with checksums, written whole or not at
 * all, from which it goes on bit for bit.
 */
import { checkedControl, type RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { defaultBlas, type BlasOption } from '../dense/default-blas.js';
import { view, type FloatArray, type Matrix } from '../dense/matrix.js';
import { readContainer, writeContainer, type ContainerArray, type JsonObject } from '../io/container.js';
import { fileIn, isThere, makeFolder } from '../io/folder.js';
import { writeSafetensors } from '../io/safetensors.js';
import { isGraphNetwork } from '../layers/graph-model.js';
import type { GraphNetwork } from '../layers/graph-network.js';
import { toStateDict } from '../layers/state-dict.js';
import { writeWeights } from '../network/weights-file.js';
import type { Setting } from './optimizer.js';
import { trainedNetwork, wholeParameters, type AnyNetwork, type Place } from './prepare.js';
import type { Evaluated } from './train-options.js';

const KIND = 'training checkpoint';
const VERSION = 1;
const LAST = 'last.hmt';
const BEST = 'best.safetensors';

/** Where a run stands. */
export interface RunState {
  step: number;
  /** Whole epochs made, and batches made of the next one. */
  epoch: number;
  batch: number;
  samples: number;
  seconds: number;
  /** Of the batches since the evaluation before: Σ loss·weight, and Σ weight, of samples or of tokens. */
  lossSum: number;
  lossSamples: number;
  /** The best one's place among the evaluations; −1 where there is none. */
  best: number;
  readonly evaluations: Evaluated[];
}

/** A run's beginning. */
export const initialState = (): RunState => ({
  step: 0,
  epoch: 0,
  batch: 0,
  samples: 0,
  seconds: 0,
  lossSum: 0,
  lossSamples: 0,
  best: -1,
  evaluations: [],
});

/** What a run depends on: names of sizes and settings with their values. */
export type RunSettings = Readonly<Record<string, Setting>>;

/** What a checkpoint holds. */
export interface Snapshot {
  readonly settings: RunSettings;
  readonly state: RunState;
  readonly place: Place;
  /** Bytes of the metrics file that belong to these steps. */
  readonly metrics: number | null;
  /** θ, θ of the last and of the best evaluation, θ̄ now and then, of the trained network. */
  readonly arrays: {
    readonly parameters: FloatArray;
    readonly good: FloatArray;
    readonly best: FloatArray;
    readonly averaged: FloatArray | null;
    readonly goodAveraged: FloatArray | null;
  };
  readonly stepper: {
    readonly arrays: Readonly<Record<string, FloatArray>>;
    readonly numbers: Readonly<Record<string, number>>;
  };
}

const STEPPER = 'optimizer.';

/** Writes `last.hmt`; the folder is made where it is not there. Throws FileAccessError. */
export async function writeSnapshot(folder: string, snapshot: Snapshot): Promise<void> {
  const { settings, state, place, metrics, arrays, stepper } = snapshot;
  const { network, frozen, prefix, basis } = place;
  const held: Record<string, ContainerArray> = { numbers: Float64Array.from(Object.values(stepper.numbers)) };
  for (const [name, array] of Object.entries({ ...arrays, frozen, basis: basis?.data ?? null }))
    if (array !== null) held[name] = array;
  for (const [name, array] of Object.entries(stepper.arrays)) held[`${STEPPER}${name}`] = array;
  const header = {
    kind: KIND,
    version: VERSION,
    settings,
    state,
    network: isGraphNetwork(network) ? withoutGraphs(network) : network,
    prefix,
    metrics,
    numbers: Object.keys(stepper.numbers),
  };
  await makeFolder(folder);
  await writeContainer(fileIn(folder, LAST), header as unknown as JsonObject, held);
}

/** What a file keeps of a network of layers: its parameters' blocks. */
const withoutGraphs = ({ kind, inputs, outputs, parameters, layers, trained }: GraphNetwork): object => ({
  kind,
  inputs,
  outputs,
  parameters,
  layers,
  trained,
});

/** Writes `best.safetensors`. Throws FileAccessError. */
export async function writeBest(folder: string, network: AnyNetwork, parameters: FloatArray): Promise<void> {
  await makeFolder(folder);
  if (isGraphNetwork(network)) {
    await writeSafetensors(fileIn(folder, BEST), new Map(Object.entries(toStateDict(network, parameters))));
    return;
  }
  await writeWeights(fileIn(folder, BEST), network, parameters);
}

/** The folder's snapshot; null where there is none. Throws FileFormatError, FileAccessError, AbortedError. */
export async function readSnapshot(folder: string, control: RunControl = {}): Promise<Snapshot | null> {
  const path = fileIn(folder, LAST);
  if (!(await isThere(path))) return null;
  const { header, arrays } = await readContainer(path, { signal: control.signal });
  const damaged = (what: string): FileFormatError =>
    new FileFormatError(`${path}: ${what}. Begin anew, without resume.`, { path });
  if (header['kind'] !== KIND) throw damaged('it is no checkpoint of a training run');
  if (header['version'] !== VERSION)
    throw damaged(`it is a checkpoint of version ${String(header['version'])}, this library reads ${VERSION}`);
  const { settings, state, network, prefix, metrics, numbers } = header as unknown as Pick<
    Snapshot,
    'settings' | 'state' | 'metrics'
  > & { readonly network: AnyNetwork; readonly prefix: number; readonly numbers: readonly string[] };
  const floats = (name: string): FloatArray | null => {
    const array = Object.hasOwn(arrays, name) ? arrays[name] : null;
    if (array === null || array instanceof Float64Array || array instanceof Float32Array) return array;
    throw damaged(`its array "${name}" holds no floating-point numbers`);
  };
  const needed = (name: string): FloatArray => {
    const array = floats(name);
    if (array === null) throw damaged(`it has no array "${name}"`);
    return array;
  };
  const values = needed('numbers');
  const basis = floats('basis');
  const width = Math.round(Math.sqrt(basis?.length ?? 0));
  const own = Object.keys(arrays).filter((name) => name.startsWith(STEPPER));
  return {
    settings,
    state,
    metrics,
    place: { network, prefix, frozen: floats('frozen'), basis: basis === null ? null : view(basis, 0, width, width) },
    arrays: {
      parameters: needed('parameters'),
      good: needed('good'),
      best: needed('best'),
      averaged: floats('averaged'),
      goodAveraged: floats('goodAveraged'),
    },
    stepper: {
      arrays: Object.fromEntries(own.map((name) => [name.slice(STEPPER.length), needed(name)])),
      numbers: Object.fromEntries(numbers.map((name, k) => [name, values[k]])),
    },
  };
}

/** Throws OptionError, naming the differences, where a snapshot is not of a run of these settings. */
export function requireSameRun(folder: string, found: RunSettings, own: RunSettings): void {
  const text = (settings: RunSettings, name: string): string =>
    Object.hasOwn(settings, name) ? `${name} ${String(settings[name])}` : `no ${name}`;
  const names = [...new Set([...Object.keys(own), ...Object.keys(found)])].filter((name) => own[name] !== found[name]);
  if (names.length === 0) return;
  const differences = names.slice(0, 4).map((name) => `${text(found, name)}, not ${text(own, name)}`);
  throw new OptionError(
    `The checkpoint in ${folder} is of another run, with ${differences.join('; ')}. Resume with the options it was ` +
      'made with, or take another folder.',
    { checkpoint: folder, differences: names },
  );
}

/** What a checkpoint says of its run. */
export interface Checkpoint {
  /** The whole network, with its activations; of one of layers what its parameters are, without what it computes. */
  readonly network: AnyNetwork;
  /** θ after the last step that was kept. */
  readonly parameters: FloatArray;
  /** θ̄, where there is one. */
  readonly averaged: FloatArray | null;
  /** θ of the best evaluation; null before the first one. */
  readonly best: { readonly parameters: FloatArray; readonly at: Evaluated } | null;
  readonly steps: number;
  readonly epochs: number;
  readonly samples: number;
  readonly seconds: number;
  readonly evaluations: readonly Evaluated[];
  /** What the run depends on, by name. */
  readonly settings: Readonly<Record<string, Setting>>;
}

/**
 * The last checkpoint in a folder that `train` was given. Throws FileAccessError, FileFormatError (truncated, foreign,
 * damaged), AbortedError.
 */
export async function readCheckpoint(folder: string, control: RunControl & BlasOption = {}): Promise<Checkpoint> {
  checkedControl(control, 'readCheckpoint', { blas: true });
  requireRole(folder, 'path', 'readCheckpoint');
  const snapshot = await readSnapshot(folder, control);
  if (snapshot === null)
    throw new FileFormatError(`${folder} holds no checkpoint: there is no ${LAST} in it.`, { path: folder });
  const { place, state, arrays, settings } = snapshot;
  const { blas = defaultBlas() } = control;
  const whole = (θ: FloatArray): FloatArray => wholeParameters(place, θ, blas);
  const { parameters } = trainedNetwork(place);
  if (arrays.parameters.length !== parameters)
    throw new FileFormatError(
      `${folder}: the checkpoint has ${arrays.parameters.length} parameters, its network ${parameters}.`,
      { path: folder },
    );
  return {
    network: place.network,
    parameters: whole(arrays.parameters),
    averaged: arrays.averaged === null ? null : whole(arrays.averaged),
    best: state.best < 0 ? null : { parameters: whole(arrays.best), at: state.evaluations[state.best] },
    steps: state.step,
    epochs: state.epoch,
    samples: state.samples,
    seconds: state.seconds,
    evaluations: state.evaluations,
    settings,
  };
}

/** The basis of a snapshot. */
export const basisOf = (snapshot: Snapshot | null): Matrix | null => snapshot?.place.basis ?? null;
