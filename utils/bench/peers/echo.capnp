#SPDX - License - Identifier : Apache - 2.0 WITH LLVM - exception
@0xc1ab4fd3a2e5b771;

interface Echo { call @0(data : Data)->(data : Data); }
