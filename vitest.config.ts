import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files that take longest, by seconds of processor time: begun first, so that both lanes end together. Among them
 * those that start Chromium and Python: a process that has had arrays of many gigabytes may not fork.
 */
const LONGEST = [
  'package/package',
  'docs',
  'cli/doctor-demo',
  'cli/output',
  'hierarchical/matrix',
  'curvature/hessian-tree',
  'cli/table',
  'distributed/mpi',
  'distributed/command',
  'distributed/krylov',
  'families/contributing',
  'krylov/device-conjugate-gradients',
  'hierarchical/device-factor',
  'device/work',
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
  'models/pytorch',
  'io/container-mutations',
  'io/bad-npz',
  'hierarchical/tolerance',
  'dense/portable',
  'dense/openblas',
  'cli/compress',
  'solve/solve',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const name = relative(import.meta.dirname, moduleId).replace(/^test[\\/]|\.test\.ts$/g, '');
      const at = LONGEST.indexOf(name.replaceAll('\\', '/'));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
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
    sequence: { sequencer: LongestFirst },
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
