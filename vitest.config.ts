import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, by seconds of processor time: begun early, so that both lanes end together. */
const LONGEST = [
  'package/package',
  'distributed/command',
  'docs',
  'distributed/hierarchical-ranks',
  'families/contributing',
  'bench/device',
  'distributed/krylov',
  'distributed/hodlr-ranks',
  'distributed/plan',
  'distributed/mpi',
  'hierarchical/kept-tolerance',
  'hierarchical/device-factor',
  'training/device',
  'bench/experiments',
  'distributed/curvature-ranks',
  'device/work',
  'distributed/own-lists',
  'distributed/training-ranks',
  'hierarchical/matrix',
  'curvature/hessian-tree',
  'models/pytorch',
  'cli/table',
  'cli/doctor-demo',
  'cli/output',
  'curvature/device',
  'krylov/device-conjugate-gradients',
  'hierarchical/structured-matrices',
  'curvature/compress-hessian',
  'hierarchical/black-box',
  'approximation/approximate',
  'cli/status',
  'parallel/concurrent',
  'experiment/preconditioner-run',
  'hierarchical/factor',
  'cli/solve',
  'curvature/kronecker-positive',
  'python/reader',
  'browser/core',
  'browser/playground',
  'report/browser',
  'io/container-mutations',
  'io/bad-npz',
  'hierarchical/tolerance',
  'dense/portable',
  'dense/openblas',
  'cli/compress',
  'solve/solve',
];

/** What a file imports that starts other programs: of Node, or by one of the tests' own modules. */
const STARTS =
  /child_process|\/(compile-once|interpreter|command|project|launchers|nvcc|examples|stand-in|adapter|browser)\.js'/;

/**
 * Files that start other programs come first: a process whose arrays are larger than the machine's memory may not fork
 * (ENOMEM; test/setup.ts).
 * Of these, and of the others, the longest come first.
 */
class StartersFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification): number => {
      const name = relative(import.meta.dirname, moduleId).replace(/^test[\\/]|\.test\.ts$/g, '');
      const at = LONGEST.indexOf(name.replaceAll('\\', '/'));
      const starts = STARTS.test(readFileSync(moduleId, 'utf8'));
      return (starts ? 0 : LONGEST.length + 1) + (at < 0 ? LONGEST.length : at);
    };
    const places = new Map(files.map((file) => [file, placeOf(file)]));
    return (await super.sort(files)).sort((a, b) => places.get(a)! - places.get(b)!);
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    // The tests exercise the build in dist/: workers load the same files as the main thread.
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    // Teams of workers and BLAS threads share the cores: two files at a time fill what one leaves idle, more would only
    // wait. Files that follow each other in a process share what it has loaded: a file leaves nothing behind that
    // another could see.
    poolOptions: { forks: { minForks: 1, maxForks: 2, isolate: false } },
    sequence: { sequencer: StartersFirst },
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
