#!/usr/bin/env python3
"""Files are compiled as one only where no word of one means something else in the other."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cmake"))
import unity_groups


def in_namespace(text):
    return "namespace runner {\nnamespace {\n" + text + "\n}  // namespace\n}  // namespace runner\n"


class UnityGroupsTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)

    def write(self, name, text):
        (self.root / name).write_text(text, encoding="utf-8")
        return str(self.root / name)

    def groups(self, *texts):
        headers = unity_groups.Headers(str(self.root))
        files = [unity_groups.File(self.write(f"{n}.cpp", text), headers) for n, text in enumerate(texts)]
        return [[pathlib.Path(file.path).stem for file in group] for group in unity_groups.groups_of(files)]

    def test_what_a_file_keeps_to_itself_is_found(self):
        for text, expected in [
                ("int one() { return f(2); }", {"one"}),
                ("constexpr int kA = 1, kB = 2;", {"kA", "kB"}),
                ("struct Case { int member; };", {"Case"}),
                ("enum class Kind : int { a, b };", {"Kind"}),
                ("template <typename T> class Box final {};", {"Box"}),
                ("const std::map<int, std::string> kNames{{1, \"a\"}};", {"kNames"}),
                ("std::string_view text_of(const Node& node) {\n  if (node) { return {}; }\n  return \"}\";\n}",
                 {"text_of"}),
                ("using Json = nlohmann::json;", {"Json"}),
                ("[[noreturn]] void stop(std::string why);", {"stop"}),
                ("TEST(Suite, Name) { EXPECT_TRUE(true); }", set())]:
            with self.subTest(text):
                self.assertEqual(set(unity_groups.own_words(in_namespace(text))), expected)

    def test_what_all_may_use_is_nobodys_own(self):
        self.assertEqual(unity_groups.own_words("namespace runner {\nint one() { return 1; }\n}\n"), {})
        self.assertEqual(set(unity_groups.own_words("#define STEP 1\nstatic int two() { return 2; }\n")), {"STEP", "two"})

    def test_files_that_do_not_meet_are_one(self):
        self.assertEqual(self.groups(in_namespace("int one() { return 1; }"), in_namespace("int two() { return 2; }")),
                         [["0", "1"]])

    def test_files_that_declare_or_say_the_same_word_are_apart(self):
        ours = in_namespace("int one() { return 1; }")
        for other in [in_namespace("double one() { return 1; }"), "int use() { return one(); }",
                      "void local() { int one = 1; }"]:
            with self.subTest(other):
                self.assertEqual(self.groups(ours, other), [["0"], ["1"]])

    def test_members_and_qualified_names_are_other_words(self):
        ours = in_namespace("int one() { return 1; }")
        for other in ["int use(Box& box) { return box.one() + box->one(); }", "int use() { return other::one(); }",
                      "// one\nconst char* kText = \"one\";", "const char kLetter = 'one'[0];"]:
            with self.subTest(other):
                self.assertEqual(self.groups(ours, other), [["0", "1"]])

    def test_aliases_are_shared_where_they_mean_the_same(self):
        ours = in_namespace("namespace fs = std::filesystem;\nusing Json = nlohmann::json;")
        self.assertEqual(self.groups(ours, ours), [["0", "1"]])
        self.assertEqual(self.groups(ours, in_namespace("using Json = nlohmann::ordered_json;")), [["0"], ["1"]])
        self.assertEqual(self.groups(ours, "void f() { Json json; }"), [["0"], ["1"]])

    def test_words_of_headers_count(self):
        self.write("result.h", '#include "deep.h"\n')
        self.write("deep.h", "struct Result {};\nvoid use(int kOther);\n")
        other = '#include "result.h"\n'
        self.assertEqual(self.groups(in_namespace("using engine::Result;"), other), [["0"], ["1"]])
        self.assertEqual(self.groups(in_namespace("struct Result {};"), other), [["0"], ["1"]])
        self.assertEqual(self.groups(in_namespace("constexpr int kOther = 1;"), other), [["0", "1"]])


if __name__ == "__main__":
    unittest.main()
