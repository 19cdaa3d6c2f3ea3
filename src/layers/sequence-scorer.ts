/**
 * What decoding asks of a network of tokens: log-probabilities of the next token behind each of several prefixes. The
 * network is that of evaluation, on one tape whose memory is taken once.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { precisionOf } from '../core/floats.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asFloats } from '../core/numbers.js';
import type { Blas } from '../dense/blas.js';
import { withBlas, type BlasOption } from '../dense/default-blas.js';
import { asVectors, zeros, type FloatArray, type Matrix, type Vectors } from '../dense/matrix.js';
import type { Batch } from '../network/data-set.js';
import { numbersEach, positionsOf, rowsOf } from '../tape/shape.js';
import type { Scorer } from '../text/decoding/scorer.js';
import { requireCount, requireIndices, requireWords } from './graph-model.js';
import { requireGraphNetwork, sliceSamples, type GraphNetwork } from './graph-network.js';
import { planNetwork } from './network-plan.js';
import type { NetworkTape } from './network-tape.js';
import { openTapeMemory, Tapes } from './tape-memory.js';

/** A network that gives the next token at every position, and what its prefixes belong to. */
export interface ScoredNetwork {
  /** Of one input of tokens (`languageModel`), or of sources and prefixes (`transformer`). */
  readonly network: GraphNetwork;
  readonly parameters: ArrayLike<number>;
  /** Of a network with sources: sample j's tokens as column j, filled up with padding, as `padTokens` gives them. */
  readonly sources?: Vectors | undefined;
}

const SCORED_KEYS: KeysOf<ScoredNetwork> = { network: true, parameters: true, sources: true };
const BLAS_KEYS: KeysOf<BlasOption> = { blas: true };
const EXAMPLE = 'sequenceScorer({ network, parameters, sources })';

/**
 * The log-probabilities of the next token for `greedyDecode` and `beamSearch`, log softmax of the network's outputs at
 * the prefix's last position: behind it stands padding, which a causal decoder does not see. Prefixes of all samples
 * are worked on together, each at the cost of a forward pass of all positions, source included. The parameters are
 * copied. Throws OptionError for a network whose outputs are not of the positions of its last input, ShapeError for
 * sources of another length or with tokens that there are not; the scorer ShapeError for prefixes that are too long,
 * tokens and samples that there are not.
 */
export function sequenceScorer(given: ScoredNetwork, options: BlasOption = {}): Scorer {
  const { network, parameters, sources } = requireKnownOptions(given, SCORED_KEYS, 'sequenceScorer', EXAMPLE);
  const { blas } = withBlas(options, BLAS_KEYS, 'sequenceScorer');
  const sizes = requireSequences(network);
  const θ = requireCount(network, asFloats(parameters, 'parameters'));
  return new Scoring(network, θ, requireSources(network, sources, sizes.source), { sizes, blas }).scorer;
}

/** Tokens of a source (0: there are none) and of a prefix, and of how many the next one is. */
interface Sizes {
  readonly source: number;
  readonly prefix: number;
  readonly words: number;
}

/** Throws OptionError unless tokens go in, and scores of the next one come out at every position of the last input. */
function requireSequences(network: GraphNetwork): Sizes {
  requireGraphNetwork(network, 'sequenceScorer', 'perceptrons have no positions');
  const { inputKinds, evaluation } = network;
  const { shape } = evaluation.output;
  const last = inputKinds[inputKinds.length - 1];
  const fits = inputKinds.every(({ vocabulary }) => vocabulary !== null) && inputKinds.length <= 2;
  if (!fits || numbersEach(last.shape) !== positionsOf(shape) || last.vocabulary !== rowsOf(shape))
    throw new OptionError(
      'sequenceScorer takes a network of one or two inputs of tokens whose outputs are scores of the next token at ' +
        'every position of the last input: languageModel, or transformer.',
      { inputs: inputKinds.length, outputs: shape.dims },
    );
  const source = inputKinds.length === 2 ? numbersEach(inputKinds[0].shape) : 0;
  return { source, prefix: positionsOf(shape), words: rowsOf(shape) };
}

/** The sources as a checked matrix; null where the network has none. Throws ShapeError. */
function requireSources(network: GraphNetwork, given: Vectors | undefined, length: number): Matrix | null {
  if (length === 0 && given === undefined) return null;
  if (length === 0 || given === undefined)
    throw new ShapeError(
      length === 0
        ? 'The network has one input, and takes no sources: leave them out.'
        : `The network takes sources of ${length} tokens: give them to sequenceScorer, one a column.`,
      { inputs: network.inputs },
    );
  const sources = asVectors(given, 'sources');
  if (sources.rows !== length)
    throw new ShapeError(`The network takes sources of ${length} tokens, a column each; these have ${sources.rows}.`, {
      expected: length,
      rows: sources.rows,
    });
  const words = network.inputKinds[0].vocabulary!;
  requireIndices(sources, { first: 0, size: length, words, what: 'sources' });
  return sources;
}

/** A tape at work, with what it is loaded with and what it gives. */
class Scoring {
  readonly #network: GraphNetwork;
  readonly #sources: Matrix | null;
  readonly #sizes: Sizes;
  readonly #tape: NetworkTape;
  readonly #batch: Batch;
  readonly #outputs: Matrix;
  #scores = new Float64Array(0);

  constructor(
    network: GraphNetwork,
    parameters: FloatArray,
    sources: Matrix | null,
    { sizes, blas }: { readonly sizes: Sizes; readonly blas: Blas },
  ) {
    const capacity = sliceSamples(network);
    const precision = precisionOf(parameters);
    const plan = planNetwork(network.evaluation, network.layers, { gradient: false, passes: [], capacity });
    const asked = { network, plan, precision, slices: 1, workers: 1, vectors: 0 };
    const layout = openTapeMemory(asked, parameters, 'Scoring sequences');
    this.#network = network;
    this.#sources = sources;
    this.#sizes = sizes;
    this.#tape = new Tapes(layout, blas, 0).tape(0);
    this.#batch = { inputs: zeros(network.inputs, capacity), targets: zeros(network.outputs, capacity) };
    this.#outputs = zeros(sizes.words * sizes.prefix, capacity);
  }

  readonly scorer: Scorer = (prefixes, samples) => {
    const { words } = this.#sizes;
    if (this.#scores.length !== words * prefixes.length) this.#scores = new Float64Array(words * prefixes.length);
    const most = this.#batch.inputs.cols;
    for (let first = 0; first < prefixes.length; first += most) {
      const count = Math.min(most, prefixes.length - first);
      for (let b = 0; b < count; b++) this.#place(b, prefixes[first + b], samples[first + b]);
      const { inputs, targets } = this.#batch;
      requireWords(this.#network, { inputs: { ...inputs, cols: count }, targets: { ...targets, cols: count } });
      this.#tape.load(this.#batch, { order: null, first: 0, count }, 1);
      this.#tape.run();
      this.#tape.readOutput({ ...this.#outputs, cols: count });
      for (let b = 0; b < count; b++) this.#softmax(b, prefixes[first + b].length - 1, words * (first + b));
    }
    return this.#scores;
  };

  /** Puts a source and a prefix into column b. */
  #place(b: number, prefix: Int32Array, sample: number): void {
    const { data, ld } = this.#batch.inputs;
    const { source, prefix: most } = this.#sizes;
    const sources = this.#sources;
    if (prefix.length === 0 || prefix.length > most)
      throw new ShapeError(
        `A prefix has ${prefix.length} tokens, the network takes 1 to ${most}: decode with maxLength up to ${most}.`,
        { length: prefix.length, most },
      );
    if (sources !== null) {
      if (!Number.isInteger(sample) || sample < 0 || sample >= sources.cols)
        throw new ShapeError(`There is no source ${sample}: the sources are 0 to ${sources.cols - 1}.`, { sample });
      const from = sources.offset + sample * sources.ld;
      for (let i = 0; i < source; i++) data[b * ld + i] = sources.data[from + i];
    }
    const { loss } = this.#network;
    const padding = typeof loss === 'string' ? 0 : (loss.padding ?? 0);
    const begin = b * ld + source;
    data.fill(padding, begin, begin + most);
    data.set(prefix, begin);
  }

  /** The scores at a position of column b as log-probabilities. */
  #softmax(b: number, position: number, to: number): void {
    const { words } = this.#sizes;
    const { data, ld } = this.#outputs;
    const from = b * ld + position * words;
    let largest = -Infinity;
    for (let k = from; k < from + words; k++) largest = Math.max(largest, data[k]);
    let sum = 0;
    for (let k = from; k < from + words; k++) sum += Math.exp(data[k] - largest);
    const shift = largest + Math.log(sum);
    for (let k = 0; k < words; k++) this.#scores[to + k] = data[from + k] - shift;
  }
}
