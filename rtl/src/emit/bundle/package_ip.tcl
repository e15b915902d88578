# Packages design @DESIGN@ as an IP for Vivado's block designs, into ip/.
#
#   vivado -mode batch -source package_ip.tcl [-tclargs PART]

set part [expr {$argc > 0 ? [lindex $argv 0] : "xczu7ev-ffvc1156-2-e"}]
set here [file dirname [file normalize [info script]]]
set root [file join $here ip]

create_project -force -in_memory -part $part package_ip
set list [open [file join $here files.f]]
foreach name [split [string trim [read $list]] "\n"] {
    add_files -norecurse [file join $here $name]
}
close $list
set_property top bitmosaic [current_fileset]
update_compile_order -fileset sources_1

# Infers the AXI, clock and reset interfaces from the names of the ports.
ipx::package_project -root_dir $root -vendor bitmosaic -library accelerators -taxonomy /UserIP \
    -import_files -set_current true -force
set core [ipx::current_core]
set_property name         @IDENTIFIER@ $core
set_property version      1.0 $core
set_property display_name {bitmosaic @DESIGN@} $core
set_property description  {@SUMMARY@} $core

ipx::associate_bus_interfaces -busif m_axi         -clock aclk $core
ipx::associate_bus_interfaces -busif s_axi_control -clock aclk $core
ipx::infer_bus_interface irq xilinx.com:signal:interrupt_rtl:1.0 $core
set_property value LEVEL_HIGH [ipx::add_bus_parameter SENSITIVITY [ipx::get_bus_interfaces irq -of_objects $core]]

# Register map of the control port: offset, name, description.
ipx::remove_all_memory_map $core
set map [ipx::add_memory_map s_axi_control $core]
set_property slave_memory_map_ref s_axi_control [ipx::get_bus_interfaces s_axi_control -of_objects $core]
set block [ipx::add_address_block reg0 $map]
set_property range @CONTROL_BYTES@ $block
set_property width 32 $block
foreach {offset name description} {
@REGISTERS@
} {
    set register [ipx::add_register $name $block]
    set_property address_offset $offset $register
    set_property size 32 $register
    set_property description $description $register
}

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
