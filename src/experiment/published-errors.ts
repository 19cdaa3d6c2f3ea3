/**
 * Errors of approximations of Gauss–Newton Hessians that were published elsewhere. Reference: S. Reiz and others,
 * slides on hierarchical matrices for Gauss–Newton Hessians (after C. Chen et al., SIAM J. Matrix Anal. Appl. 42(1),
 * 2021): relative Frobenius error at a share of the dense storage. They name three autoencoders only; sizes and shares
 * fit 784-d-784 without biases, d = 10, 25, 50.
 */

/** Pixels of the images that they code. */
const IMAGE = 784;

/** ε_F by row of the table. */
type PublishedErrors = Readonly<Partial<Record<string, number>>>;

const PUBLISHED: Readonly<Record<number, PublishedErrors>> = {
  10: {
    'HM-low': 1.7e-1,
    'HM-high': 4.7e-4,
    'RSVD-low': 4.3e-1,
    'RSVD-high': 5.1e-3,
    'KFAC-low': 1.2e-1,
    'KFAC-high': 7.3e-2,
  },
  25: {
    'HM-low': 5.7e-3,
    'HM-high': 6.4e-4,
    'RSVD-low': 8.4e-1,
    'RSVD-high': 2.3e-1,
    'KFAC-low': 1.7e-1,
    'KFAC-high': 3.8e-2,
  },
  50: {
    'HM-low': 4.2e-3,
    'HM-high': 4.9e-4,
    'RSVD-low': 9.1e-1,
    'RSVD-high': 2.1e-1,
    'KFAC-low': 1.6e-1,
    'KFAC-high': 4.1e-2,
  },
};

/** ε_F by row of the table, of a network of these widths; nothing of others. */
export const publishedErrors = ({ widths }: { readonly widths: readonly number[] }): PublishedErrors =>
  widths.length === 3 && widths[0] === IMAGE && widths[2] === IMAGE ? (PUBLISHED[widths[1]] ?? {}) : {};
