/**
 * What is used of TensorFlow.js (js.tensorflow.org/api/4.22.0): declared here so that the package's types need no
 * others.
 */

/** TensorFlow.js as a program has it: `import * as tf from '@tensorflow/tfjs'`. */
export interface TensorFlow {
  /** The version of @tensorflow/tfjs-core. */
  readonly version_core: string;
  /** Resolves when a backend is ready. */
  ready(): Promise<void>;
  /** The name of the backend in use; '' or undefined: none. */
  getBackend(): string | undefined;
}

/** Numbers that do not change. */
export interface TfTensor {
  data(): Promise<ArrayLike<number>>;
  dispose(): void;
}

/** What a backend may tell of itself, each as it is made. */
export interface TfBackend {
  /** Of WebGL. */
  readonly gpgpu?: { readonly gl: { isContextLost(): boolean } } | undefined;
  /** Of WebGPU. */
  readonly device?: { readonly lost: Promise<{ readonly message: string }> } | undefined;
}

/** Operations on tensors; each makes a new one. */
export interface TfOperations {
  add(a: TfTensor, b: TfTensor): TfTensor;
  sub(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  div(a: TfTensor, b: TfTensor): TfTensor;
  /** a/b; 0 where b is. */
  divNoNan(a: TfTensor, b: TfTensor): TfTensor;
  sqrt(x: TfTensor): TfTensor;
  sum(x: TfTensor, axis: number): TfTensor;
  min(x: TfTensor, axis: number): TfTensor;
  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  greater(a: TfTensor, b: number): TfTensor;
  less(a: TfTensor, b: number): TfTensor;
  where(condition: TfTensor, a: TfTensor | number, b: TfTensor | number): TfTensor;
  logicalAnd(a: TfTensor, b: TfTensor): TfTensor;
  /** Rows of x by their numbers, in the shape of those. */
  gather(x: TfTensor, rows: TfTensor): TfTensor;
  concat(parts: readonly TfTensor[], axis: number): TfTensor;
  /** Without `size`, all from `begin` on. */
  slice(x: TfTensor, begin: readonly number[], size?: readonly number[]): TfTensor;
  pad(x: TfTensor, paddings: readonly (readonly [number, number])[]): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  zeros(shape: readonly number[]): TfTensor;
  ones(shape: readonly number[]): TfTensor;
}

/** The module, as far as it is used. */
export interface Tf extends TensorFlow, TfOperations {
  backend(): TfBackend;
  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype: 'float32' | 'int32'): TfTensor;
  /** Runs `run`, and frees the tensors that it makes but those it returns. */
  tidy<T>(run: () => T): T;
  /** No tidy frees it. */
  keep(x: TfTensor): TfTensor;
}
