import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'src/dense/portable/assembly/'] },
  ...tseslint.configs.strict,
  {
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      // Numerical kernels index typed arrays they have bounds-checked once; a non-null assertion there is a statement,
      // not a hazard.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // A task definition without arguments states so by `void`.
      '@typescript-eslint/no-invalid-void-type': 'off',
      'max-lines': ['error', { max: 500 }],
    },
  },
  {
    files: ['src/**'],
    // dense: the signatures of BLAS and LAPACK are the field's own.
    ignores: ['src/dense/**'],
    rules: { 'max-params': ['error', { max: 5 }] },
  },
  { files: ['src/cli/**', 'bench/**', 'scripts/**', 'examples/**'], rules: { 'no-console': 'off' } },
);
