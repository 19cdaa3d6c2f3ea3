/**
 * A symmetric matrix with what is known of it: products, entries, the network behind it.
 * Which kind of operator it is, is asked here and nowhere else: curvature of a network, or compressed already.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { gaussNewtonSource } from '../curvature/entries/gauss-newton-source.js';
import { GraphOperator } from '../curvature/graphs/operator.js';
import { SampleOperator } from '../curvature/products/sample-operator.js';
import { graphTree } from '../curvature/trees/graph-tree.js';
import { structuralTree } from '../curvature/trees/structural-tree.js';
import type { Precision } from '../dense/matrix.js';
import { Leftover } from '../hierarchical/from-entries/leftover.js';
import { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { GraphModel } from '../layers/graph-model.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import { EntryOperator } from '../source/entry-operator.js';
import type { EntrySource } from '../source/entry-source.js';
import { keptSource } from '../source/kept-source.js';
import { buildClusterTree } from '../tree/build.js';
import type { ClusterTree } from '../tree/cluster-tree.js';

/** What a caller may know besides the operator. */
interface Known {
  /** The network behind it. */
  readonly model?: Model | undefined;
  /** Entries of the same matrix. */
  readonly source?: EntrySource | undefined;
}

interface TreeOptions {
  readonly leafSize: number;
  readonly seed: number;
}

/** The matrix A with what is known of it: at least its products. Entries and trees are made when first asked for. */
export class Subject {
  readonly operator: LinearOperator;
  /** The network behind it, whatever matrix of that network it is. */
  readonly model: Model | undefined;
  /** The operator, where it is a mean over samples of a network. */
  readonly curvature: SampleOperator | undefined;
  /** The network of layers whose Gauss–Newton matrix the operator is. */
  readonly graph: GraphModel | undefined;
  /** The operator, where it is a hierarchical matrix. */
  readonly compressed: HierarchicalMatrix | undefined;
  /** What compressions of its entries leave for the next one. */
  readonly leftover = new Leftover();
  readonly #given: EntrySource | undefined;
  readonly #make: (() => EntrySource) | undefined;
  readonly #trees = new Map<string, Promise<ClusterTree>>();
  #made: EntrySource | undefined;

  /** `make` makes the entries where none are given. */
  constructor(operator: LinearOperator, { model, source }: Known = {}, make?: () => EntrySource) {
    this.operator = operator;
    this.model = model;
    this.curvature = operator instanceof SampleOperator ? operator : undefined;
    this.graph = operator instanceof GraphOperator && operator.kind === 'gauss-newton' ? operator.model : undefined;
    this.compressed = operator instanceof HierarchicalMatrix ? operator : undefined;
    this.#given = source;
    this.#make = make;
  }

  /** Entries of the same matrix, where there are any. Throws what `gaussNewtonSource` throws. */
  get source(): EntrySource | undefined {
    return this.#given ?? (this.#made ??= this.#make?.());
  }

  /** What no eigenvalue lies below, where the entries given tell: 0 unless they do. */
  get lowerBound(): number {
    return Math.max(0, this.#given?.lowerBound ?? 0) || 0;
  }

  /** The precision that the entries given were rounded to, where they tell. */
  get entryPrecision(): Precision | undefined {
    return this.#given?.precision;
  }

  /** Flops of an entry, where they are known: 2n of a mean over n samples (arXiv 1910.12184). */
  get entryFlops(): number | undefined {
    return this.curvature === undefined ? undefined : 2 * this.curvature.samples;
  }

  /** The network, where the operator is its Gauss–Newton matrix: entries and network are of one and the same matrix. */
  get gaussNewton(): Model | undefined {
    const { curvature, model } = this;
    return curvature?.kind === 'gauss-newton' && curvature.model === model ? model : undefined;
  }

  /**
   * A cluster tree of the entries: by the structure of the network behind them, else by their distance; the same one
   * for the same options. Throws what `structuralTree` and `buildClusterTree` throw.
   */
  tree(source: EntrySource, options: TreeOptions, control: TeamControl): Promise<ClusterTree> {
    return this.#treeOf(options, () =>
      this.model === undefined
        ? buildClusterTree(source, 'auto', options, control)
        : structuralTree(this.model, source, options, control),
    );
  }

  /** A cluster tree by the structure of the network of layers; undefined where there is none. Throws as `graphTree`. */
  graphTree(options: TreeOptions, control: TeamControl): Promise<ClusterTree> | undefined {
    const { graph } = this;
    return graph === undefined ? undefined : this.#treeOf(options, () => graphTree(graph, options, control));
  }

  #treeOf({ leafSize, seed }: TreeOptions, make: () => Promise<ClusterTree>): Promise<ClusterTree> {
    const key = `${leafSize} ${seed}`;
    let tree = this.#trees.get(key);
    if (tree === undefined) this.#trees.set(key, (tree = make()));
    return tree;
  }
}

/**
 * The operator with the network behind it and its entries, where the caller names none. Throws ShapeError where they do
 * not fit.
 */
export function subjectOf(operator: LinearOperator, { model: given, source }: Known, { team }: TeamControl): Subject {
  const known = operator instanceof SampleOperator && operator.kind === 'gauss-newton' ? operator.model : undefined;
  const model = given === undefined || (known !== undefined && isSame(given, known)) ? known : given;
  if (model !== undefined && model.network.parameters !== operator.rows) {
    throw new ShapeError(
      `The network has ${model.network.parameters} parameters, the operator ${operator.rows} rows.`,
      { parameters: model.network.parameters, rows: operator.rows },
    );
  }
  if (source !== undefined && source.size !== operator.rows)
    throw new ShapeError(`The source has ${source.size} rows, the operator ${operator.rows}.`, {
      source: source.size,
      rows: operator.rows,
    });
  // Entries are those of the Gauss–Newton matrix: of another operator with the same network they are not.
  const make = known === undefined ? undefined : () => gaussNewtonSource(known, { blas: team.blas, operator });
  const kept = source === undefined || !(operator instanceof EntryOperator) ? source : keptSource(source, operator);
  return new Subject(operator, { model, source: kept }, make);
}

/** The same network, loss and data at the same parameters, whatever arrays those lie in. */
const isSame = (a: Model, b: Model): boolean =>
  a.network === b.network &&
  a.loss === b.loss &&
  a.data === b.data &&
  a.parameters.length === b.parameters.length &&
  a.parameters.every((value, i) => value === b.parameters[i]);

/** Who needs something of a subject: "Preconditioner 'kfac'", what to do besides, and what an error's data holds. */
export interface Asker {
  readonly who: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The network behind the matrix, a perceptron or one of layers. Throws OptionError where there is none. */
export const requireNetwork = (subject: Subject, asker: Asker): Model | GraphModel =>
  subject.graph ?? requireModel(subject, asker);

/** The perceptron behind the matrix. Throws OptionError where there is none. */
export function requireModel({ model, graph }: Subject, { who, data }: Asker): Model {
  if (model === undefined && graph !== undefined)
    throw new OptionError(
      `${who} is known for perceptrons alone, and this operator is of a network of layers: choose hss, hodlr, rsvd, ` +
        'nystrom, kfac or ekfac.',
      data,
    );
  if (model === undefined)
    throw new OptionError(
      `${who} follows the layers of a network, and this operator brings none: pass the model, or the ` +
        'Gauss–Newton operator of one.',
      data,
    );
  return model;
}

/** Entries of the matrix; `otherwise` is what else to do: ", or choose …". Throws OptionError where there are none. */
export function requireEntries({ source }: Subject, { who, data }: Asker, otherwise = ''): EntrySource {
  if (source === undefined)
    throw new OptionError(
      `${who} needs entries of the matrix, and this operator has products alone: pass a source${otherwise}.`,
      data,
    );
  return source;
}
