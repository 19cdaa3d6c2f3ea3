/**
 * What eliminating a node of a ULV factorization takes.
 */

/**
 * Flops of eliminating r of a node's candidates, k of which remain (ulv/eliminate.ts): the Cholesky factorization of
 * order r, two congruences and a solve with k right-hand sides, and the Schur complement,
 *
 *   r³/3 + 3·r²·k + 3·r·k².
 */
export const eliminationFlops = (eliminated: number, rank: number): number =>
  eliminated ** 3 / 3 + 3 * eliminated * eliminated * rank + 3 * eliminated * rank * rank;
