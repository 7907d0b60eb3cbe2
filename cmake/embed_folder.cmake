# cmake -D ROOT=… -D FILES=a;b -D OUT=… -P embed_folder.cmake: text files as C++ (airflow/package.h).
set(text "#include \"airflow/package.h\"\n\nnamespace etesian::airflow {\n\n")
string(APPEND text "std::vector<PackageFile> package_files() {\n  return {\n")
foreach(file ${FILES})
  file(READ ${ROOT}/${file} content)
  string(APPEND text "      {\"${file}\", R\"etesian(${content})etesian\"},\n")
endforeach()
string(APPEND text "  };\n}\n\n}  // namespace etesian::airflow\n")
file(WRITE ${OUT} "${text}")
