/**
 * A symmetric matrix with what is known of it: products, entries, the network behind it.
 */
import { ShapeError } from '../core/errors.js';
import { gaussNewtonSource } from '../curvature/entries/gauss-newton-source.js';
import { SampleOperator } from '../curvature/products/sample-operator.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';

/** The matrix A with what is known of it: at least its products. */
export interface Subject {
  readonly operator: LinearOperator;
  /** Entries of the same matrix. */
  readonly source?: EntrySource | undefined;
  /** The network behind it. */
  readonly model?: Model | undefined;
}

/**
 * Finds the network behind the operator and its entries, where the caller names none. Throws ShapeError where they do
 * not fit.
 */
export function subjectOf(
  operator: LinearOperator,
  options: { readonly model?: Model | undefined; readonly source?: EntrySource | undefined },
  { team }: TeamControl,
): Subject {
  const known = operator instanceof SampleOperator && operator.kind === 'gauss-newton' ? operator.model : undefined;
  const model =
    options.model === undefined || (known !== undefined && isSame(options.model, known)) ? known : options.model;
  if (model !== undefined && model.network.parameters !== operator.rows) {
    throw new ShapeError(
      `The network has ${model.network.parameters} parameters, the operator ${operator.rows} rows.`,
      { parameters: model.network.parameters, rows: operator.rows },
    );
  }
  // Entries are those of the Gauss–Newton matrix: of another operator with the same network they are not.
  const source =
    options.source ?? (known === undefined ? undefined : gaussNewtonSource(known, { blas: team.blas, operator }));
  if (source !== undefined && source.size !== operator.rows)
    throw new ShapeError(`The source has ${source.size} rows, the operator ${operator.rows}.`, {
      source: source.size,
      rows: operator.rows,
    });
  return { operator, model, source };
}

/** The same network, loss and data at the same parameters, whatever arrays those lie in. */
const isSame = (a: Model, b: Model): boolean =>
  a.network === b.network &&
  a.loss === b.loss &&
  a.data === b.data &&
  a.parameters.length === b.parameters.length &&
  a.parameters.every((value, i) => value === b.parameters[i]);

/** Entries and network of one and the same Gauss–Newton matrix. */
export function isGaussNewton(subject: Subject): subject is Subject & { readonly model: Model } {
  return (
    subject.operator instanceof SampleOperator &&
    subject.operator.kind === 'gauss-newton' &&
    subject.operator.model === subject.model
  );
}
