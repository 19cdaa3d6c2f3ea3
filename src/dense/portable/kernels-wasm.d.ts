/** The compiled kernels in base64; scripts/build-wasm.mjs writes the module itself into dist/. */
export declare const kernels: string;
