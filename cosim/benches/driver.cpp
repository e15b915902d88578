// Drives the Verilated tile straight from memory: what the model itself costs, without testbench and files.
// Reads the stream files of the testbench; prints cycles, CPU seconds of the loop and a hash of the output beats.
#include "Vtile.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

struct Stream {
    std::vector<std::vector<uint32_t>> beats;
    size_t next = 0;
    bool valid() const { return next < beats.size(); }
    explicit Stream(const char* file) {
        std::ifstream in(file);
        for (std::string line; std::getline(in, line);) {
            std::vector<uint32_t> words((line.size() + 7) / 8 + 1);
            for (size_t i = 0; i < line.size(); ++i) {
                const uint32_t digit = std::stoul(line.substr(line.size() - 1 - i, 1), nullptr, 16);
                words[i / 8] |= digit << (4 * (i % 8));
            }
            beats.push_back(words);
        }
    }
};

template <class T> void put(T& port, const uint32_t* words) { port = static_cast<T>(words[0]); }
inline void put(QData& port, const uint32_t* words) { port = words[0] | static_cast<uint64_t>(words[1]) << 32; }
template <size_t N> void put(VlWide<N>& port, const uint32_t* words) {
    for (size_t i = 0; i < N; ++i) port[i] = words[i];
}

template <class T> uint64_t hashed(uint64_t hash, const T& port) { return hash * 1000003 + port; }
template <size_t N> uint64_t hashed(uint64_t hash, const VlWide<N>& port) {
    for (size_t i = 0; i < N; i += 2) {
        hash = hash * 1000003 + (port[i] | (i + 1 < N ? static_cast<uint64_t>(port[i + 1]) << 32 : 0));
    }
    return hash;
}

int main(int argc, char** argv) {
    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    context->commandArgs(argc, argv);
    const std::unique_ptr<Vtile> tile{new Vtile{context.get()}};
    Stream command("command.hex"), weight("weight.hex"), activation("activation.hex");
    Stream scale("scale.hex"), exponent("exponent.hex"), channel("channel.hex");
    tile->rst_i = 1;
    for (int i = 0; i < 4; ++i) {
        tile->clk_i = 0, tile->eval();
        tile->clk_i = 1, tile->eval();
    }
    tile->rst_i = 0;
    tile->output_ready_i = 1;
    uint64_t cycles = 0, hash = 0;
    size_t left = command.beats.size();
    const std::clock_t start = std::clock();
#define OFFER(name) \
    tile->name##_valid_i = name.valid(); \
    if (name.valid()) put(tile->name##_data_i, name.beats[name.next].data())
#define TAKE(name) name.next += tile->name##_valid_i && tile->name##_ready_o
    while (left > 0) {
        OFFER(command);
        OFFER(weight);
        OFFER(activation);
        OFFER(scale);
        OFFER(exponent);
        OFFER(channel);
        tile->clk_i = 0;
        tile->eval();
        left -= tile->retire_o;
        if (tile->output_valid_o) hash = hashed(hash, tile->output_data_o);
        TAKE(command);
        TAKE(weight);
        TAKE(activation);
        TAKE(scale);
        TAKE(exponent);
        TAKE(channel);
        tile->clk_i = 1;
        tile->eval();
        ++cycles;
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%llu %.6f %llu\n", static_cast<unsigned long long>(cycles), seconds,
                static_cast<unsigned long long>(hash));
    tile->final();
    return 0;
}
