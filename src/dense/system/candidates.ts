/**
 * Which system libraries are looked for, in which order.
 * OpenBLAS, Intel MKL, BLIS with LAPACK, Accelerate (macOS), then whatever stands behind the generic names libblas and
 * liblapack; the first that opens and passes its check is taken. Names without a path are left to the system's own
 * search.
 */

/** A family of libraries and the sets of files it goes by; the files of a set are opened together. */
export interface Candidate {
  readonly name: string;
  readonly sets: readonly (readonly string[])[];
}

const LINUX: readonly Candidate[] = [
  { name: 'openblas', sets: [['libopenblas.so.0'], ['libopenblas.so'], ['libopenblasp.so.0'], ['libopenblaso.so.0']] },
  { name: 'mkl', sets: [['libmkl_rt.so.2'], ['libmkl_rt.so.1'], ['libmkl_rt.so']] },
  {
    name: 'blis',
    sets: [
      ['libblis.so.4', 'liblapack.so.3'],
      ['libblis.so.3', 'liblapack.so.3'],
      ['libblis.so', 'liblapack.so.3'],
      ['libblis-mt.so', 'libflame.so'],
      ['libblis.so', 'libflame.so'],
    ],
  },
  {
    name: 'netlib',
    sets: [
      ['libblas.so.3', 'liblapack.so.3'],
      ['libblas.so', 'liblapack.so'],
    ],
  },
];

const MACOS: readonly Candidate[] = [
  {
    name: 'openblas',
    sets: [
      ['libopenblas.dylib'],
      ['/opt/homebrew/opt/openblas/lib/libopenblas.dylib'],
      ['/usr/local/opt/openblas/lib/libopenblas.dylib'],
      ['/opt/local/lib/libopenblas.dylib'],
    ],
  },
  {
    name: 'mkl',
    sets: [['libmkl_rt.2.dylib'], ['libmkl_rt.dylib'], ['/opt/intel/oneapi/mkl/latest/lib/libmkl_rt.2.dylib']],
  },
  {
    name: 'blis',
    sets: [
      ['libblis.4.dylib', 'liblapack.dylib'],
      ['libblis.dylib', 'liblapack.dylib'],
      ['/opt/homebrew/opt/blis/lib/libblis.dylib', 'liblapack.dylib'],
    ],
  },
  { name: 'accelerate', sets: [['/System/Library/Frameworks/Accelerate.framework/Accelerate']] },
  { name: 'netlib', sets: [['libblas.dylib', 'liblapack.dylib']] },
];

const WINDOWS: readonly Candidate[] = [
  { name: 'openblas', sets: [['libopenblas.dll'], ['openblas.dll']] },
  { name: 'mkl', sets: [['mkl_rt.2.dll'], ['mkl_rt.1.dll'], ['mkl_rt.dll']] },
  {
    name: 'blis',
    sets: [
      ['libblis.4.dll', 'liblapack.dll'],
      ['libblis.dll', 'liblapack.dll'],
    ],
  },
  { name: 'netlib', sets: [['libblas.dll', 'liblapack.dll']] },
];

/** The search order of a platform (Node's names of platforms). */
export function candidatesOf(platform: string): readonly Candidate[] {
  return platform === 'win32' ? WINDOWS : platform === 'darwin' ? MACOS : LINUX;
}
