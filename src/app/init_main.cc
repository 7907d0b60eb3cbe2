#include "init/command_line.h"

int main(int argc, char** argv) { return etesian::init::main_of(argc, argv); }
