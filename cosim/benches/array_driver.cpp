// Plays the recorded inputs of a whole machine to its Verilated model straight from memory: what the model itself costs.
// `ports.h` has the ports. `changes.bin`: for every cycle the number of inputs that change, then port and value of each.
// Prints the CPU seconds of the loop and a hash of what leaves the machine.
#include "Vaccelerator.h"
#include "ports.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

int main(int argc, char** argv) {
    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    context->commandArgs(argc, argv);
    const std::unique_ptr<Vaccelerator> machine{new Vaccelerator{context.get()}};
    std::ifstream in("changes.bin", std::ios::binary | std::ios::ate);
    std::vector<uint64_t> changes(static_cast<size_t>(in.tellg()) / 8);
    in.seekg(0);
    in.read(reinterpret_cast<char*>(changes.data()), static_cast<std::streamsize>(changes.size() * 8));
    uint64_t hash = 0;
    size_t cycle = 0;
    const std::clock_t start = std::clock();
    for (const uint64_t *at = changes.data(), *end = at + changes.size(); at < end; ++cycle) {
        for (uint64_t count = *at++; count > 0; --count) {
            const uint64_t value = at[1];
            switch (at[0]) {
#define INPUT(number, name) \
    case number: machine->name = value; break;
                INPUTS
            }
            at += 2;
        }
        machine->clk_i = 0;
        machine->eval();
        if (cycle >= FIRST_CYCLE) {
            hash = hash * 1000003 + (machine->retire_o | machine->status_o << 8 | machine->irq_o << 16);
            if (machine->m_axi_wvalid_o) hash = hash * 1000003 + machine->m_axi_wdata_o;
        }
        machine->clk_i = 1;
        machine->eval();
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%zu %.6f %llu\n", cycle, seconds, static_cast<unsigned long long>(hash));
    machine->final();
    return 0;
}
