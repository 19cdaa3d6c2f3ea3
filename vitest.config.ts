import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The tests exercise the build in dist/: workers load the same files as the main thread.
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    // Teams of workers and BLAS threads share the cores: two files at a time fill what one leaves idle, more would only
    // wait.
    poolOptions: { forks: { minForks: 1, maxForks: 2 } },
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
