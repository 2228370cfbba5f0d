# SPDX-License-Identifier: MIT
# The bundled demo model, its sample pictures and its evaluation pack.
modeldir = $(pkgdatadir)
dist_model_DATA = models/sparsevlm-demo-q8_0.gguf models/mmproj-sparsevlm-demo-q8_0.gguf models/README.md
samplesdir = $(pkgdatadir)/samples
dist_samples_DATA = models/samples/sample-01.png models/samples/sample-02.png models/samples/sample-03.png \
	models/samples/sample-04.png models/samples/sample-05.png models/samples/sample-06.png \
	models/samples/sample-07.png models/samples/sample-08.png models/samples/sample-09.png \
	models/samples/sample-10.png models/samples/sample-11.png models/samples/sample-12.png \
	models/samples/samples.json
EXTRA_DIST += models/sparsevlm-demo-f16.gguf models/mmproj-sparsevlm-demo-f16.gguf \
	models/tokenizer.model models/eval models/results models/train
