/**
 * What the coverage of stated intervals is measured on: errors of compressions from entries and from products,
 * traces, log determinants and spectral densities, over 200 seeds each. Errors come from matrices whose errors lie
 * unlike each other: points of even density, in clusters of widths 0.02 to 0.4, and with heavy tails (‖x‖ to the
 * square over a Cauchy-like length); kernels from narrow to wide; all formats; and diagonals of D K D with log-normal
 * D.
 */
export const SEEDS = 200;

export type Cloud = 'normal' | 'clusters' | 'tails';

interface ErrorCase {
  readonly kind: 'error from entries' | 'error from products';
  readonly kernel: { readonly family: 'gaussian' | 'matern32' | 'laplace'; readonly bandwidth: number };
  readonly cloud: Cloud;
  readonly format: 'hss' | 'hodlr' | 'fmm';
  /** D K D. */
  readonly uneven?: boolean | undefined;
}

interface SpectrumCase {
  readonly kind:
    | 'log det'
    | 'log det with a lower bound'
    | 'log det with a factorization'
    | 'trace of the inverse'
    | 'density'
    | 'cumulative density';
  readonly shift: number;
}

export type CoverageCase = (ErrorCase | SpectrumCase) & { readonly name: string; readonly size: number };

const FAMILIES = [
  { family: 'gaussian', bandwidth: 0.3 },
  { family: 'gaussian', bandwidth: 2 },
  { family: 'matern32', bandwidth: 0.5 },
  { family: 'laplace', bandwidth: 1 },
] as const;

const entries = FAMILIES.flatMap((kernel, k) =>
  (['normal', 'clusters', 'tails'] as const).map((cloud, c): CoverageCase => {
    const format = (['hss', 'hodlr', 'fmm'] as const)[(k + c) % 3];
    return {
      name: `coverage error ${kernel.family}-${kernel.bandwidth} ${cloud} ${format}`,
      kind: 'error from entries',
      size: 4500,
      kernel,
      cloud,
      format,
    };
  }),
);

const uneven = FAMILIES.slice(1).map((kernel): CoverageCase => ({
  name: `coverage error ${kernel.family}-${kernel.bandwidth} uneven hss`,
  kind: 'error from entries',
  size: 2000,
  kernel,
  cloud: 'tails',
  format: 'hss',
  uneven: true,
}));

const products = FAMILIES.slice(0, 2).map((kernel): CoverageCase => ({
  name: `coverage error ${kernel.family}-${kernel.bandwidth} by products`,
  kind: 'error from products',
  size: 1000,
  kernel,
  cloud: 'clusters',
  format: 'fmm',
}));

const spectra = ([1e-2, 1e-6] as const).flatMap((shift) =>
  (
    [
      'log det',
      'log det with a lower bound',
      'log det with a factorization',
      'trace of the inverse',
      'density',
      'cumulative density',
    ] as const
  ).map((kind): CoverageCase => ({ name: `coverage ${kind} λ=${shift}`, kind, size: 300, shift })),
);

export const COVERAGE_CASES: readonly CoverageCase[] = [...entries, ...uneven, ...products, ...spectra];
