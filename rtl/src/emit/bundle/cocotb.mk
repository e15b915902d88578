# Needs Icarus Verilog and `pip install cocotb cocotbext-axi`.
SIM             ?= icarus
TOPLEVEL_LANG   := verilog
VERILOG_SOURCES := $(addprefix $(CURDIR)/../,$(shell cat ../files.f))

COCOTB_TOPLEVEL     := bitmosaic
COCOTB_TEST_MODULES := test_bitmosaic

include $(shell cocotb-config --makefiles)/Makefile.sim
