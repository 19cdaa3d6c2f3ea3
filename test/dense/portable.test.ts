import { createPortableBlas } from '#hmatrix/dense/portable/portable-blas.js';
import { describeBlas } from './conformance.js';

describeBlas('portable (WebAssembly)', createPortableBlas);
