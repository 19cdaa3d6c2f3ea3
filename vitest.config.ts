import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The tests exercise the build in dist/: workers load the same files as the main thread.
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    // Teams of workers and BLAS threads share the cores: one file at a time keeps memory and time predictable.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
