/**
 * M = G̃ + λ′I with G̃ ≽ 0 the Gauss–Newton matrix of a step's curvature batch as a hierarchical matrix in the
 * Kronecker eigenbasis (curvature/eigenbasis: the directions of largest curvature with all that couples them, small
 * blocks on the diagonal for the rest), factored, and kept while it serves:
 *
 *   another λ      λ′ stays while ¼ ≤ λ/λ′ ≤ 4; then it is factored again from the same G̃
 *   made anew      after a step of more than twice the iterations of the first step with it, once all iterations beyond
 *                  those of that step have cost as much as making it does (hierarchical-costs.ts)
 *
 * It is made before a step, at the step's θ and first samples, without dropout's masks, here wherever vectors lie. No
 * clock decides. Point and batch that it was made of are kept: a resumed run makes it again from them, with the same
 * bits. In float64; it lies outside the objective's memory.
 */
import type { AbortSignalLike } from '../../../core/context.js';
import { FactorizationError, NonFiniteError, NotPositiveDefiniteError } from '../../../core/errors.js';
import type { FloatArray } from '../../../core/floats.js';
import { requireMemory } from '../../../core/memory.js';
import { kroneckerHierarchical } from '../../../curvature/eigenbasis/compress.js';
import { factorKronecker, type KroneckerFactorization } from '../../../curvature/eigenbasis/factorization.js';
import type { Blas } from '../../../dense/blas.js';
import { copyInto, view, type Matrix } from '../../../dense/matrix.js';
import { availableMemory } from '../../../io/machine.js';
import { memoryDataSet, type Batch } from '../../../network/data-set.js';
import type { LossName } from '../../../network/losses/table.js';
import type { Network } from '../../../network/network.js';
import type { LinearOperator } from '../../../operator/linear-operator.js';
import { openTeam } from '../../../parallel/default-team.js';
import type { Team } from '../../../parallel/team.js';
import { requirePerceptron, type PerceptronObjective } from '../../objective/perceptron-objective.js';
import { vectorNumbers } from '../../objective/workspace.js';
import type { Point } from '../point.js';
import { ready, type Steps } from '../steps.js';
import type { Space, Vectors } from '../vectors.js';
import { hierarchicalCosts, matrixBytes, neededBytes, type HierarchicalCosts } from './hierarchical-costs.js';
import type { Preconditioner, PreconditionerPlan } from './preconditioner.js';

/** λ may be so many times larger or smaller than the one that was factored. */
const DAMPING_RANGE = 4;

/** A step of more than so many times the iterations of the first one is slow. */
const SLOW = 2;
/** Iterations before which the stop by progress does not come (conjugate-gradients.ts): fewer count as so many. */
const LEAST_ITERATIONS = 11;

/** Settings of {@link hierarchicalPreconditioner}. */
export interface HierarchicalSettings {
  /** Bytes of the matrix over 8N²; undefined: by the costs. */
  readonly share: number | undefined;
  /** Share of a batch that curvature is taken on. */
  readonly curvatureShare: number;
}

/** Most samples of the curvature. */
export const mostSamples = ({ curvatureShare }: HierarchicalSettings, batchSize: number): number =>
  Math.max(1, Math.round(curvatureShare * batchSize));

/**
 * The hierarchical preconditioner. It keeps a vector and the curvature's part of the batch. `begin` throws MemoryError
 * where the memory that is free would not do.
 */
export const hierarchicalPreconditioner = (settings: HierarchicalSettings): PreconditionerPlan => ({
  spare: ({ parameters, inputs, outputs }, batchSize) => {
    const samples = mostSamples(settings, batchSize);
    return vectorNumbers(parameters) + vectorNumbers(inputs * samples) + vectorNumbers(outputs * samples);
  },
  begin: (objective, numbers) => {
    const own = requirePerceptron(objective, "preconditioner: 'hierarchical'", "preconditioner: 'kfac'");
    return new HierarchicalPreconditioner(new HierarchicalHere(own), settings, numbers);
  },
});

/** What is compressed, and who works: without a team a team of one. */
export interface HierarchicalSubject {
  readonly network: Network;
  readonly loss: LossName;
  readonly regularization: number;
  readonly team: Team | undefined;
  readonly blas: Blas;
  /** Most samples of a batch. */
  readonly capacity: number;
}

/** Where the objective's numbers lie, and (G̃ + λ′I)⁻¹ does. */
export interface HierarchicalPlaces {
  readonly subject: HierarchicalSubject;
  /** Numbers of the state, which are here. */
  keep(length: number): FloatArray;
  /** θ and the loaded batch's first samples, as they are now. */
  loaded(samples: number): Promise<{ readonly parameters: FloatArray } & Batch>;
  /**
   * Takes what is applied from now on, of G̃ where that is another one than before; resolves to how far it is from the
   * factorization, ‖ẑ − z‖/‖z‖. Rejects with NonFiniteError for numbers beyond its precision,
   * NotPositiveDefiniteError where nothing of the inverse is left in it.
   */
  take(factorization: KroneckerFactorization, matrix?: LinearOperator): Promise<number>;
  /** Frees what was taken. */
  drop(): void;
  /** z ← (G̃ + λ′I)⁻¹r by what was taken. */
  apply(r: FloatArray, z: FloatArray): void;
}

/** It here. */
class HierarchicalHere implements HierarchicalPlaces {
  readonly subject: HierarchicalSubject;
  readonly #objective: PerceptronObjective;
  #factorization: KroneckerFactorization | undefined;

  constructor(objective: PerceptronObjective) {
    this.subject = objective;
    this.#objective = objective;
  }

  keep(length: number): FloatArray {
    return this.#objective.take(length);
  }

  async loaded(samples: number): Promise<{ readonly parameters: FloatArray } & Batch> {
    const { network, parameters } = this.#objective;
    const { width, inputs: rows } = network.layers[0];
    const inputs = view(this.#objective.inputsOf(0), 0, rows, samples, width);
    return { parameters, inputs, targets: view(this.#objective.targetsOf(), 0, network.outputs, samples) };
  }

  async take(factorization: KroneckerFactorization): Promise<number> {
    this.#factorization = factorization;
    return 0;
  }

  drop(): void {
    this.#factorization = undefined;
  }

  apply(r: FloatArray, z: FloatArray): void {
    const n = r.length;
    this.#factorization!.applyUnchecked(view(z, 0, n, 1), view(r, 0, n, 1), 1, 0);
  }
}

/** The preconditioner, with vectors in S. */
export class HierarchicalPreconditioner<S extends Space = Vectors> implements Preconditioner<S> {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  note: string | undefined;
  readonly #places: HierarchicalPlaces;
  readonly #share: number | undefined;
  readonly #numbers: Record<string, number>;
  /** What it was made of. */
  readonly #θ: FloatArray;
  readonly #inputs: FloatArray;
  readonly #targets: FloatArray;
  #team: Team | undefined;
  #factorization: KroneckerFactorization | undefined;
  #costs: HierarchicalCosts = { iteration: 1, making: Infinity };
  #point: Point<S> | undefined;

  /** Throws MemoryError. */
  constructor(places: HierarchicalPlaces, settings: HierarchicalSettings, numbers: Record<string, number>) {
    const { network, loss, capacity } = places.subject;
    const { share } = settings;
    const samples = mostSamples(settings, capacity);
    requireMemory(neededBytes({ network, loss, samples }, share), availableMemory(), {
      what: "The preconditioner 'hierarchical' of hessian-free needs about",
      advice: "lower its share or curvatureShare, or take preconditioner: 'kfac'.",
    });
    this.#places = places;
    this.#share = share;
    this.#numbers = numbers;
    this.#θ = places.keep(network.parameters);
    this.#inputs = places.keep(network.inputs * samples);
    this.#targets = places.keep(network.outputs * samples);
    this.arrays = {
      hierarchicalPoint: this.#θ,
      hierarchicalInputs: this.#inputs,
      hierarchicalTargets: this.#targets,
    };
    // Samples that it was made of (0: there is none), λ′, iterations of the first step with it, those beyond it since,
    // whether it is to be made anew, how often it was made, and how far what is applied is from it.
    Object.assign(numbers, {
      hierarchicalSamples: 0,
      hierarchicalShift: 0,
      hierarchicalFirst: 0,
      hierarchicalBeyond: 0,
      hierarchicalSlow: 0,
      hierarchicalMade: 0,
      hierarchicalDistance: 0,
    });
  }

  async ready(samples: number, damping: number, signal: AbortSignalLike | undefined): Promise<void> {
    const numbers = this.#numbers;
    const shift = damping + this.#places.subject.regularization;
    this.note = undefined;
    try {
      if (numbers['hierarchicalSamples'] === 0 || numbers['hierarchicalSlow'] === 1) {
        await this.#makeHere(samples, shift, signal);
        return;
      }
      if (this.#factorization === undefined) {
        // Resumed.
        const { inputs, targets } = this.#kept(numbers['hierarchicalSamples']);
        await this.#make(this.#θ, inputs, targets, numbers['hierarchicalShift'], signal);
      }
      const change = shift / numbers['hierarchicalShift'];
      if (change <= DAMPING_RANGE && change >= 1 / DAMPING_RANGE) return;
      const kept = this.#factorization!;
      this.#factorization = undefined;
      this.#places.drop();
      await this.#serve(kept, async () => {
        await kept.refactor(shift, { signal });
        return this.#places.take(kept);
      });
      numbers['hierarchicalShift'] = shift;
    } catch (error) {
      const lost =
        error instanceof NonFiniteError ||
        error instanceof FactorizationError ||
        error instanceof NotPositiveDefiniteError;
      if (!lost) throw error;
      // The step goes without; the next one tries again.
      this.#drop();
      Object.assign(numbers, { hierarchicalSamples: 0, hierarchicalDistance: 0 });
      this.note = `no hierarchical preconditioner: ${error.message}`;
    }
  }

  /** Makes it of the loaded batch at θ. */
  async #makeHere(samples: number, shift: number, signal: AbortSignalLike | undefined): Promise<void> {
    const { parameters, inputs, targets } = await this.#places.loaded(samples);
    this.#drop();
    await this.#make(parameters, inputs, targets, shift, signal);
    // An abort before this leaves arrays and numbers as they belong together.
    this.#θ.set(parameters);
    const kept = this.#kept(samples);
    copyInto(kept.inputs, inputs);
    copyInto(kept.targets, targets);
    Object.assign(this.#numbers, {
      hierarchicalSamples: samples,
      hierarchicalShift: shift,
      hierarchicalFirst: 0,
      hierarchicalBeyond: 0,
      hierarchicalSlow: 0,
      hierarchicalMade: this.#numbers['hierarchicalMade'] + 1,
    });
  }

  #kept(samples: number): Batch {
    const { inputs, outputs } = this.#places.subject.network;
    return { inputs: view(this.#inputs, 0, inputs, samples), targets: view(this.#targets, 0, outputs, samples) };
  }

  async #make(
    parameters: FloatArray,
    inputs: Matrix,
    targets: Matrix,
    shift: number,
    signal: AbortSignalLike | undefined,
  ): Promise<void> {
    const { network, loss, team, blas } = this.#places.subject;
    // A team of one has no threads.
    this.#team ??= team ?? (await openTeam({ workers: 1, ...(blas.kind === 'portable' ? { blas: 'portable' } : {}) }));
    const control = { team: this.#team, signal };
    const size = { network, loss, samples: inputs.cols };
    const share = this.#share ?? matrixBytes(size) / (8 * network.parameters ** 2);
    // Memory was asked for at the beginning: what is free meanwhile must not change the bits.
    const memoryLimit = Infinity;
    const data = memoryDataSet(inputs, targets, { samples: 'columns' });
    const matrix = await kroneckerHierarchical(
      { network, parameters, loss, data },
      { share, preserve: 'positive-definite', memoryLimit },
      control,
    );
    try {
      const factorization = await factorKronecker(matrix, { shift, memoryLimit }, control);
      await this.#serve(factorization, async () => this.#places.take(factorization, matrix));
      this.#costs = hierarchicalCosts(size, matrix.report.principal?.size ?? 0);
    } finally {
      matrix.release();
    }
  }

  /** Applies the factorization from now on, or holds nothing of it where that fails. */
  async #serve(factorization: KroneckerFactorization, take: () => Promise<number>): Promise<void> {
    try {
      this.#numbers['hierarchicalDistance'] = await take();
    } catch (error) {
      this.#places.drop();
      factorization.release();
      throw error;
    }
    this.#factorization = factorization;
  }

  #drop(): void {
    this.#places.drop();
    this.#factorization?.release();
    this.#factorization = undefined;
  }

  prepare(point: Point<S>): Steps<void> {
    this.#point = point;
    return ready(undefined);
  }

  apply(r: FloatArray, z: FloatArray): void {
    const point = this.#point!;
    if (this.#factorization === undefined) point.space.copy(r, z);
    else this.#places.apply(r, z);
    point.mask(z);
  }

  took(iterations: number): void {
    const numbers = this.#numbers;
    if (this.#factorization === undefined) return;
    const first = numbers['hierarchicalFirst'];
    if (first === 0) {
      numbers['hierarchicalFirst'] = Math.max(LEAST_ITERATIONS, iterations);
      return;
    }
    numbers['hierarchicalBeyond'] += Math.max(0, iterations - first);
    const { iteration, making } = this.#costs;
    if (iterations > SLOW * first && numbers['hierarchicalBeyond'] * iteration > making)
      numbers['hierarchicalSlow'] = 1;
  }

  restored(): void {
    this.#drop();
  }
}
