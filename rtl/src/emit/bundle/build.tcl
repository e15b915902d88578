# Out-of-context implementation of design @DESIGN@ in Vivado: utilization and timing, no pins.
#
#   vivado -mode batch -source build.tcl [-tclargs PART]

set part [expr {$argc > 0 ? [lindex $argv 0] : "xczu7ev-ffvc1156-2-e"}]
set here [file dirname [file normalize [info script]]]
set out  [file join $here build vivado]
file mkdir $out

set list [open [file join $here files.f]]
foreach name [split [string trim [read $list]] "\n"] {
    read_verilog [file join $here $name]
}
close $list
read_xdc -mode out_of_context [file join $here bitmosaic.xdc]

synth_design -top bitmosaic -part $part -mode out_of_context
report_utilization -hierarchical -file [file join $out utilization_synth.rpt]
opt_design
place_design
phys_opt_design
route_design
report_utilization -hierarchical -file [file join $out utilization.rpt]
report_timing_summary -max_paths 10 -file [file join $out timing.rpt]
write_checkpoint -force [file join $out bitmosaic.dcp]

set path [get_timing_paths -setup -max_paths 1]
puts "worst setup slack: [get_property SLACK $path] ns, from [get_property STARTPOINT_PIN $path] to [get_property ENDPOINT_PIN $path]"
