// Drives the Verilated whole machine straight from memory: what the model itself costs, without testbench and trace files.
// The memory is the `ideal` one of sim/src/memory.rs without gates. Reads memory.bin; prints cycles, CPU seconds of the loop and
// a hash of the write beats and the edges that took them.
#include "Vaccelerator.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <type_traits>
#include <vector>

struct Read {
    uint64_t address, from;
    uint32_t left;
    bool id;
};

static void clock(Vaccelerator& machine) {
    machine.clk_i = 0, machine.eval();
    machine.clk_i = 1, machine.eval();
}

static void offer_write(Vaccelerator& machine, uint32_t address, uint32_t value) {
    machine.s_axi_control_awaddr_i = address, machine.s_axi_control_wdata_i = value;
    machine.s_axi_control_awvalid_i = machine.s_axi_control_wvalid_i = 1;
    clock(machine);
    machine.s_axi_control_awvalid_i = machine.s_axi_control_wvalid_i = 0;
}

// Arguments: commands, latency, bytes a cycle, outstanding, addresses of the registers interrupt_enable, program_commands and
// start.
int main(int argc, char** argv) {
    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    context->commandArgs(argc, argv);
    if (argc < 8) return 2;
    uint64_t arguments[7];
    for (int i = 0; i < 7; ++i) arguments[i] = std::strtoull(argv[i + 1], nullptr, 10);
    const uint64_t latency = arguments[1], bytes_per_cycle = arguments[2], outstanding = arguments[3];
    const std::unique_ptr<Vaccelerator> machine{new Vaccelerator{context.get()}};
    std::ifstream file("memory.bin", std::ios::binary);
    std::vector<uint8_t> memory{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    using Data = std::remove_reference_t<decltype(machine->m_axi_rdata_i)>;
    static_assert(sizeof(Data) == 8, "the driver knows ports of 64 bits");
    const uint64_t beat_bytes = sizeof(Data);
    machine->rst_i = 1;
    for (int i = 0; i < 4; ++i) clock(*machine);
    machine->rst_i = 0;
    machine->s_axi_control_wstrb_i = 15;
    machine->s_axi_control_bready_i = machine->s_axi_control_rready_i = 1;
    const uint32_t registers[] = {static_cast<uint32_t>(arguments[4]), static_cast<uint32_t>(arguments[5])};
    const uint32_t values[] = {1, static_cast<uint32_t>(arguments[0])};
    for (int i = 0; i < 2; ++i) {
        offer_write(*machine, registers[i], values[i]);
        clock(*machine), clock(*machine);
    }
    offer_write(*machine, static_cast<uint32_t>(arguments[6]), 1);

    std::deque<Read> reads;
    std::deque<uint64_t> writes, responses;
    const uint64_t cap = 2 * (bytes_per_cycle > beat_bytes ? bytes_per_cycle : beat_bytes);
    uint64_t cycle = 0, budget = 0, hash = 0;
    bool held = false;
    const std::clock_t start = std::clock();
    for (;; ++cycle) {
        budget = budget + bytes_per_cycle < cap ? budget + bytes_per_cycle : cap;
        const bool read = !reads.empty() && cycle >= reads.front().from && (held || budget >= beat_bytes);
        const bool write = !writes.empty() && budget >= (read ? 2 : 1) * beat_bytes;
        machine->m_axi_arready_i = reads.size() < outstanding;
        machine->m_axi_rvalid_i = read;
        if (read) {
            Data data = 0;
            if (reads.front().address + beat_bytes > memory.size()) return 3;
            std::memcpy(&data, &memory[reads.front().address], beat_bytes);
            machine->m_axi_rdata_i = data;
            machine->m_axi_rid_i = reads.front().id;
            machine->m_axi_rlast_i = reads.front().left == 1;
        }
        machine->m_axi_awready_i = writes.size() + responses.size() < outstanding;
        machine->m_axi_wready_i = write;
        const bool response = !responses.empty() && cycle >= responses.front();
        machine->m_axi_bvalid_i = response;
        machine->clk_i = 0;
        machine->eval();
        if (machine->irq_o && cycle > 0) break;
        const bool taken = read && machine->m_axi_rready_o;
        held = read && !taken;
        if (taken) {
            budget -= beat_bytes;
            reads.front().address += beat_bytes;
            if (--reads.front().left == 0) reads.pop_front();
        }
        if (machine->m_axi_arvalid_o && machine->m_axi_arready_i) {
            reads.push_back({machine->m_axi_araddr_o, cycle + latency, machine->m_axi_arlen_o + 1u,
                             static_cast<bool>(machine->m_axi_arid_o)});
        }
        if (response) responses.pop_front();
        if (write && machine->m_axi_wvalid_o) {
            budget -= beat_bytes;
            const Data data = machine->m_axi_wdata_o;
            if (writes.front() + beat_bytes > memory.size()) return 3;
            for (uint64_t i = 0; i < beat_bytes; ++i) {
                if (machine->m_axi_wstrb_o >> i & 1) memory[writes.front() + i] = static_cast<uint8_t>(data >> (8 * i));
            }
            writes.front() += beat_bytes;
            hash = (hash * 1000003 + cycle) * 1000003 + data;
            if (machine->m_axi_wlast_o) writes.pop_front(), responses.push_back(cycle + latency);
        }
        if (machine->m_axi_awvalid_o && machine->m_axi_awready_i) writes.push_back(machine->m_axi_awaddr_o);
        machine->clk_i = 1;
        machine->eval();
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%llu %.6f %llu\n", static_cast<unsigned long long>(cycle), seconds,
                static_cast<unsigned long long>(hash));
    machine->final();
    return 0;
}
