/**
 * A preconditioner of (A + λI) x = b as it is handed out: one interface for all of them, so that they can be compared.
 * What each is, table.ts and their files say.
 */
import type { Factorization } from '../../hierarchical/factor/factorization.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { PreconditionerName } from './table.js';

/** M ≈ (A + λI)⁻¹: symmetric positive definite as an operator, whatever it was made from. */
export interface Preconditioner {
  readonly name: PreconditionerName;
  /** M; absent for `none`. */
  readonly operator?: LinearOperator | undefined;
  readonly shift: number;
  /** Bytes of all arrays that a product with M reads. */
  readonly bytes: number;
  /** Of making what does not depend on λ, and of factoring for it. */
  readonly seconds: { readonly compress: number; readonly factor: number };
  /** What it was made of: rank, leaf size, tolerance, as far as it has them. */
  readonly details: Readonly<Record<string, number | string>>;
  readonly note?: string | undefined;
  /** Behind `hodlr` and `hss`. */
  readonly factorization?: Factorization | undefined;
  /** Another one, for another λ and without compressing again; this one stays as it is. */
  reshift(shift: number): Promise<Preconditioner>;
  release(): void;
}
