"""cocotb test of design @DESIGN@: programs the registers, runs the vectors, checks memory and counters.

Control goes through an AXI4-Lite master, the program and its operands lie in an AXI4 memory (cocotbext-axi).
"""

import itertools
import logging
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
BEAT_BYTES = @BEAT_BYTES@
MEMORY_BYTES = @MEMORY_BYTES@
COMMANDS = @COMMANDS@
DESIGN = 0x@DESIGN_WORD@
COUNTERS = @COUNTERS@
REGISTERS = {
@REGISTERS@
}
STATUS_DONE = 0x2
STATUS_UNKNOWN_OPCODE = 0x32


def memory_before() -> bytes:
    """The memory image, from address 0: a beat a line, the highest byte first."""
    lines = (VECTORS / "memory.hex").read_text().split()
    return b"".join(bytes.fromhex(line)[::-1] for line in lines)


def expected() -> tuple[bytes, dict[str, int]]:
    """Memory and counters after the program, by the trace of the cycle-accurate simulator."""
    memory = bytearray(memory_before())
    counters = {}
    addresses = []
    beats = []
    for line in (VECTORS / "expected.txt").read_text().splitlines():
        kind, *fields = line.split()
        if kind == "b":
            start, count = int(fields[1]), int(fields[2])
            addresses += [start + i * BEAT_BYTES for i in range(count)]
        elif kind == "w":
            beats.append((bytes.fromhex(fields[1])[::-1], int(fields[2], 16)))
        elif kind == "c":
            counters[COUNTERS[int(fields[0])]] = int(fields[1])
    for address, (data, strobes) in zip(addresses, beats, strict=True):
        for i in range(BEAT_BYTES):
            if strobes >> i & 1:
                memory[address + i] = data[i]
    return bytes(memory), counters


class Machine:
    """The device with a host and a memory around it."""

    def __init__(self, dut):
        self.dut = dut
        logging.getLogger("cocotb.bitmosaic").setLevel(logging.WARNING)
        cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
        control = AxiLiteBus.from_prefix(dut, "s_axi_control")
        memory = AxiBus.from_prefix(dut, "m_axi")
        self.control = AxiLiteMaster(control, dut.aclk, dut.aresetn, reset_active_level=False)
        self.memory = AxiRam(memory, dut.aclk, dut.aresetn, reset_active_level=False, size=MEMORY_BYTES)

    async def reset(self):
        """Resets the device and writes the program and its operands."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 4)
        self.memory.write(0, memory_before())

    async def write(self, name: str, value: int):
        await self.control.write_dword(REGISTERS[name], value)

    async def read(self, name: str) -> int:
        return await self.control.read_dword(REGISTERS[name])

    async def counter(self, name: str) -> int:
        return await self.read(f"{name}_low") | await self.read(f"{name}_high") << 32

    async def run(self) -> int:
        """Runs the program at address 0 up to the interrupt; the status."""
        await self.write("interrupt_enable", 1)
        await self.write("program_address_low", 0)
        await self.write("program_address_high", 0)
        await self.write("program_commands", COMMANDS)
        await self.write("start", 1)
        await with_timeout(RisingEdge(self.dut.irq), @TIMEOUT_US@, "us")
        await self.write("interrupt", 1)
        assert self.dut.irq.value == 0
        return await self.read("status")

    def pause(self, seed: int, share: float):
        """Makes every channel of the memory wait in a share of the cycles."""
        read, write = self.memory.read_if, self.memory.write_if
        channels = [read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel]
        for i, channel in enumerate(channels):
            source = random.Random(seed + i)
            channel.set_pause_generator(source.random() < share for _ in itertools.count())


@cocotb.test()
async def vectors_give_the_expected_memory_and_counters(dut):
    machine = Machine(dut)
    await machine.reset()
    assert await machine.read("design") == DESIGN
    memory, counters = expected()
    # The second run finds its counters started again.
    for _ in range(2):
        machine.memory.write(0, memory_before())
        assert await machine.run() == STATUS_DONE
        assert machine.memory.read(0, len(memory)) == memory
        # Cycles depend on the memory; the beats and the cycles of compute do not.
        for name in ["read_beats", "write_beats", "compute"]:
            assert await machine.counter(name) == counters[name], name
        assert await machine.counter("cycles") >= counters["compute"]


@cocotb.test()
async def a_slow_memory_changes_no_bit(dut):
    machine = Machine(dut)
    machine.pause(seed=1, share=0.4)
    await machine.reset()
    assert await machine.run() == STATUS_DONE
    memory, counters = expected()
    assert machine.memory.read(0, len(memory)) == memory
    assert await machine.counter("compute") == counters["compute"]


@cocotb.test()
async def an_unknown_opcode_ends_with_its_error(dut):
    machine = Machine(dut)
    await machine.reset()
    machine.memory.write(0, bytes([0xFF]))
    assert await machine.run() == STATUS_UNKNOWN_OPCODE
