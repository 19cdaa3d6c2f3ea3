/**
 * A dense backend that counts the time its routines take.
 */
import type { Blas } from '../dense/blas.js';
import type { KeysOf } from '../core/known-options.js';

type Routine = { [K in keyof Blas]: Blas[K] extends (...args: never[]) => unknown ? K : never }[keyof Blas];

const ROUTINES: KeysOf<Record<Routine, unknown>> = {
  gemm: true,
  gemv: true,
  symm: true,
  symv: true,
  syrk: true,
  trsm: true,
  trmm: true,
  potrf: true,
  geqrf: true,
  ormqr: true,
  geqp3: true,
  gesdd: true,
  syevd: true,
  getrf: true,
  getrs: true,
};

/** A backend and the milliseconds that its routines took so far. */
export interface TimedBlas {
  readonly blas: Blas;
  readonly milliseconds: () => number;
}

/** `blas` with a clock around every routine: some 0.1 µs a call. */
export function timedBlas(blas: Blas): TimedBlas {
  let total = 0;
  const routines = Object.keys(ROUTINES).map((name) => {
    const routine = blas[name as Routine] as (...args: unknown[]) => unknown;
    return [
      name,
      (...args: unknown[]): unknown => {
        const began = performance.now();
        try {
          return routine.apply(blas, args);
        } finally {
          total += performance.now() - began;
        }
      },
    ];
  });
  return {
    blas: { ...blas, description: blas.description, kind: blas.kind, ...Object.fromEntries(routines) } as Blas,
    milliseconds: () => total,
  };
}
