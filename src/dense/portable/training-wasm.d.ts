/** The compiled kernels in base64; scripts/build-wasm.mjs writes the module itself into dist/. */
/** The WebAssembly module of src/dense/portable/assembly/training, in base64. */
export declare const kernels: string;
